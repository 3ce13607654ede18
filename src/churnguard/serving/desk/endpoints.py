"""The desk's addresses: the list, a customer, what was done, signing in and out, the language."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from churnguard.errors import AccessDenied, InvalidRequest
from churnguard.jobs.known_customer import owner_of
from churnguard.jobs.ports import AtRiskQuery, Outcome
from churnguard.jobs.record_outcome import LONGEST_NOTE, record_outcome
from churnguard.serving.desk.access import address_of, set_cookie
from churnguard.serving.desk.desk import Desk
from churnguard.serving.desk.pages import (
    BANDS,
    ROWS,
    SHOWN,
    SORTS,
    SignInPage,
    at_risk_page,
    customer_page,
)
from churnguard.serving.desk.sessions import FLASH_COOKIE, LANGUAGE_COOKIE, SESSION_COOKIE
from churnguard.serving.scores.schemas import CustomerId
from churnguard.serving.storable import STORABLE

router = APIRouter(include_in_schema=False)
HOME = "/desk"
_YEAR = 365 * 86_400
_FLASH_SECONDS = 60


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


@router.get("/")
def home() -> Response:
    """Lead whoever opens the server's address to the desk."""
    return RedirectResponse(HOME, 303)


@router.get(HOME)
def get_list(  # noqa: PLR0917 - these are the filters of the form
    request: Request,
    band: Annotated[str, Query(max_length=64)] = "",
    action: Annotated[str, Query(max_length=64, pattern=STORABLE)] = "",
    segment: Annotated[str, Query(max_length=64, pattern=STORABLE)] = "",
    outcome: Annotated[str, Query(max_length=64)] = "open",
    sort: Annotated[str, Query(max_length=64)] = "expected_gain",
    page_token: str = "",
) -> Response:
    """Show today's at-risk list."""
    desk = _desk(request)
    visitor = desk.gate.visitor(request)
    query = AtRiskQuery(
        band=band or None,
        # Unasked, whoever is at low risk is left out: there is little to save.
        min_risk=None if band else desk.door.shop.settings.bands[0],
        action=action or None,
        segment=segment or None,
        outcome=_one_of(SHOWN, outcome, "outcome"),
        sort=_one_of(SORTS, sort, "sort"),
        page_size=ROWS,
    )
    if band:
        _one_of(BANDS, band, "band")
    chosen = {"band": band, "action": action, "segment": segment}
    chosen |= {"outcome": outcome if outcome != "open" else ""}
    chosen |= {"sort": sort if sort != "expected_gain" else ""}
    base = urlencode({name: value for name, value in chosen.items() if value})
    here = "&".join(filter(None, (base, f"page_token={quote(page_token)}" if page_token else "")))
    page = at_risk_page(
        desk.door, desk.words(request), query, page_token=page_token, queries=(base, here)
    )
    return desk.show(request, page, visitor=visitor)


def _one_of(known: Any, value: str, name: str) -> Any:
    if value not in known:
        raise InvalidRequest(f"'{name}' must be one of {', '.join(known)}.")
    return value


@router.get(HOME + "/customers/{customer_id:path}")
def get_customer(
    request: Request,
    customer_id: Annotated[CustomerId, Path()],
    back: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """Show one customer; an id that was merged into one leads there."""
    desk = _desk(request)
    visitor = desk.gate.visitor(request)
    owner = owner_of(desk.door.shop, customer_id)
    if owner != customer_id:
        query = f"?{urlencode({'back': back})}" if back else ""
        return RedirectResponse(f"{HOME}/customers/{quote(owner, safe='')}{query}", 303)
    page = customer_page(desk.door, desk.words(request), customer_id, back=back)
    return desk.show(request, page, visitor=visitor)


@router.post(HOME + "/actions/{decision_id}/outcome")
def post_outcome(  # noqa: PLR0917 - these are the fields of the form
    request: Request,
    decision_id: Annotated[str, Path(max_length=256, pattern=STORABLE)],
    outcome: Annotated[Outcome, Form()],
    token: Annotated[str, Form(max_length=256)] = "",
    note: Annotated[str, Form(max_length=LONGEST_NOTE, pattern=STORABLE)] = "",
    back: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Report what became of an action, and go back to the list."""
    desk = _desk(request)
    visitor = desk.gate.visitor(request)
    desk.gate.check_form(request, visitor.session, token)
    recorded = record_outcome(
        desk.door.shop, decision_id, outcome, actor=visitor.actor, note=note.strip()
    )
    response = RedirectResponse(f"{HOME}?{back}" if back else HOME, 303)
    told = recorded.to_dict()
    flash = {name: told[name] for name in ("outcome", "customer_id", "decision_id")}
    sealed = desk.gate.sealer.seal("flash", flash)
    set_cookie(request, response, FLASH_COOKIE, sealed, seconds=_FLASH_SECONDS)
    return response


@router.get(HOME + "/sign-in")
def get_sign_in(
    request: Request, next_path: Annotated[str, Query(alias="next", max_length=4000)] = HOME
) -> Response:
    """Show the form that takes an API key."""
    page = SignInPage(refused=False, next_path=_own_path(next_path))
    return _desk(request).show(request, page, visitor=None)


@router.post(HOME + "/sign-in")
def post_sign_in(
    request: Request,
    key: Annotated[str, Form(max_length=512)] = "",
    next_path: Annotated[str, Form(alias="next", max_length=4000)] = HOME,
) -> Response:
    """Take an API key and begin a session."""
    desk = _desk(request)
    # Nobody has a token yet: the origin alone must be ours.
    desk.gate.check_form(request, None, "")
    try:
        session = desk.gate.sign_in(key, address=address_of(request))
    except AccessDenied:
        page = SignInPage(refused=True, next_path=_own_path(next_path))
        return desk.show(request, page, visitor=None, status=401)
    response = RedirectResponse(_own_path(next_path), 303)
    desk.gate.remember(request, response, session)
    return response


@router.post(HOME + "/sign-out")
def post_sign_out(request: Request, token: Annotated[str, Form(max_length=256)] = "") -> Response:
    """End the session."""
    desk = _desk(request)
    visitor = desk.gate.visitor(request)
    desk.gate.check_form(request, visitor.session, token)
    response = RedirectResponse(HOME + "/sign-in", 303)
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response


@router.get(HOME + "/language/{code}")
def get_language(
    request: Request, code: str, back: Annotated[str, Query(max_length=4000)] = HOME
) -> Response:
    """Choose a language and go back to the page."""
    response = RedirectResponse(_own_path(back), 303)
    if code in _desk(request).renderer.languages:
        set_cookie(request, response, LANGUAGE_COOKIE, code, seconds=_YEAR)
    return response


def _own_path(path: str) -> str:
    """Return a path of the desk; anything else leads to its start page."""
    own = path == HOME or path.startswith((HOME + "/", HOME + "?"))
    return path if own and path.isprintable() and "\\" not in path else HOME
