"""The desk as a whole: what its endpoints share, and how it is mounted into the app."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from churnguard.errors import PlaybookError
from churnguard.policy.playbook import Playbook, read_playbook
from churnguard.project.layout import Layout
from churnguard.serving.desk.access import Gate, Visitor
from churnguard.serving.desk.languages import Language
from churnguard.serving.desk.pages import REFUSALS, ProblemPage, Words
from churnguard.serving.desk.rendering import HERE, Flash, Frame, RefusedView, Renderer, wants_json
from churnguard.serving.desk.sessions import FLASH_COOKIE, Sealer
from churnguard.serving.door import Door
from churnguard.serving.problems import Problem

STATIC = "/desk/static"


@dataclass(frozen=True)
class Desk:
    """What every endpoint of the desk needs.

    Attributes
    ----------
    door : Door
        The shop.
    gate : Gate
        Who may come in.
    renderer : Renderer
        Languages and templates.
    shared : bool
        Whether other shops have a desk at this address: a stranger is not told of this one.
    """

    door: Door
    gate: Gate
    renderer: Renderer
    shared: bool = False

    def words(self, request: Request) -> Words:
        """Return the reader's language, with the playbook as it is now."""
        return Words(self.renderer.language_of(request), self._playbook())

    def show(
        self, request: Request, page: Any, *, visitor: Visitor | None, status: int = 200
    ) -> Response:
        """Return a page, handing out the cookie that a new visitor needs."""
        frame = self._frame(request, visitor)
        response = self.renderer.respond(request, page, frame=frame, status=status)
        if visitor and visitor.fresh:
            self.gate.remember(request, response, visitor.session)
        if frame.flash:
            response.delete_cookie(FLASH_COOKIE, path="/")
        return response

    def problem(self, request: Request, problem: Problem) -> Response | None:
        """Return a problem as a page; None where no person is reading."""
        if not request.url.path.startswith("/desk") or wants_json(request):
            return None
        here = f"{request.url.path}?{request.url.query}".rstrip("?")
        if problem.status == HTTPStatus.UNAUTHORIZED:
            back = here if request.method == "GET" else "/desk"
            return RedirectResponse(f"/desk/sign-in?next={quote(back, safe='')}", 303)
        page = ProblemPage(
            status=problem.status,
            title=problem.title,
            detail=problem.detail,
            hint=problem.hint,
            request_id=request.scope.get("churnguard.request_id", ""),
        )
        try:
            visitor = self.gate.visitor(request)
        except Exception:  # noqa: BLE001 - a page about an error must not need the store
            visitor = None
        return self.show(request, page, visitor=visitor, status=problem.status)

    def _frame(self, request: Request, visitor: Visitor | None) -> Frame:
        language = self.renderer.language_of(request)
        others = [other for other in self.renderer.languages.values() if other != language]
        sealed = request.cookies.get(FLASH_COOKIE, "") if visitor else ""
        flash = self.gate.sealer.open("flash", sealed) if sealed else None
        return Frame(
            shop="" if self.shared and not visitor else self.door.shop.settings.name,
            language=language,
            languages=tuple(others),
            here=f"{request.url.path}?{request.url.query}".rstrip("?"),
            signed_in=visitor.session.name if visitor else "",
            open_desk=self.gate.open_desk,
            token=self.gate.sealer.form_token(visitor.session) if visitor else "",
            flash=Flash(**flash) if flash else None,
            refused=self._refused(language) if visitor else None,
        )

    def _refused(self, language: Language) -> RefusedView | None:
        """Return the new model that was refused, in words that tell nothing of the server."""
        champion = self.door.champion
        refused, model = champion.refused, champion.current()
        if refused is None:
            return None
        why = language.words.gettext(REFUSALS[refused.reason])
        return RefusedView(refused.version, why, model.name.version if model else "")

    def _playbook(self) -> Playbook | None:
        """Return the playbook as it is now; an edited text shows at once."""
        path = Layout(self.door.shop.root).playbook
        try:
            return _read_once(path, path.stat().st_mtime_ns)
        except (OSError, PlaybookError):
            return None


@lru_cache(maxsize=8)
def _read_once(path: Path, changed: int) -> Playbook:
    """Read a playbook once for each time it is edited."""
    del changed
    return read_playbook(path)


class _Kept(StaticFiles):
    """Files whose address changes with their content, so browsers may keep them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def mount_desk(app: FastAPI, door: Door, *, open_desk: bool, session_key: bytes | None) -> None:
    """Give an app its desk.

    Parameters
    ----------
    app : FastAPI
        The app.
    door : Door
        The shop.
    open_desk : bool
        Whether everybody may come in.
    session_key : bytes, optional
        Seals the cookies; several processes must share it. A random one if left out.
    """
    from churnguard.serving.desk.endpoints import router

    sealer = Sealer(session_key or secrets.token_bytes(32))
    gate = Gate(door.shop, app.state.keys, sealer, open_desk=open_desk)
    desk = Desk(door, gate, Renderer(door.shop))
    app.state.desk = desk
    app.state.problem_page = desk.problem
    app.mount(STATIC, _Kept(directory=HERE / "static"), name="static")
    app.include_router(router)


def share_desk(app: FastAPI) -> None:
    """Let an app's desk know that other shops have one at the same address."""
    desk: Desk = app.state.desk
    app.state.desk = replace(desk, shared=True)
    app.state.problem_page = app.state.desk.problem
