"""Every error leaves in one shape: RFC 9457 ``application/problem+json``.

The table below is the only place that turns an error class into an HTTP status. What went wrong
inside (status 500 and above) is logged, never told.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from churnguard import errors
from churnguard.serving.auth import NotAuthenticated, ScopeMissing, TooManyTries
from churnguard.serving.group_commit import WriterBusy
from churnguard.serving.idempotency import KeyMissing, KeyReused, StillRunning
from churnguard.serving.rate_limits import RateLimited

logger = logging.getLogger("churnguard.serving")

TABLE: Mapping[type[Exception], tuple[int, str, str]] = {
    errors.InvalidRequest: (400, "invalid-request", "The request cannot be answered as put"),
    KeyMissing: (400, "idempotency-key-missing", "The request needs an Idempotency-Key"),
    NotAuthenticated: (401, "not-authenticated", "A valid API key is needed"),
    ScopeMissing: (403, "scope-missing", "The API key lacks the scope"),
    errors.AccessDenied: (403, "access-denied", "This is not allowed"),
    errors.CustomerNotFound: (404, "customer-not-found", "The shop has no such customer"),
    errors.DecisionNotFound: (404, "decision-not-found", "The shop has no such decision"),
    StillRunning: (409, "still-running", "The first such request is still running"),
    KeyReused: (422, "idempotency-key-reused", "The key was used for another request"),
    errors.RowNotFound: (404, "row-not-found", "The quarantine has no such row"),
    errors.EndpointNotFound: (404, "webhook-not-found", "The shop has no such webhook endpoint"),
    RateLimited: (429, "rate-limited", "The quota of the API key is spent"),
    TooManyTries: (429, "too-many-tries", "Too many wrong API keys were sent"),
    errors.NotWhole: (422, "not-whole", "The events cannot be stored as a whole"),
    errors.DataError: (422, "data-unusable", "The data cannot be used as it is"),
    errors.ModelNotFound: (503, "no-model", "There is no model that could answer"),
    errors.BundleMismatch: (503, "model-unusable", "The model cannot be used"),
    errors.StoreFull: (507, "store-full", "The store has no space left"),
    WriterBusy: (503, "writer-busy", "Too many events wait to be stored"),
    errors.StoreError: (503, "store-unavailable", "The store cannot answer"),
    errors.ChurnGuardError: (500, "internal-error", "Something went wrong on our side"),
}
"""Error class -> status, slug of the type, title; the nearest base class decides."""

_SLUGS = {
    404: ("no-such-route", "There is no such route"),
    405: ("method-not-allowed", "The route does not take this method"),
    408: ("too-slow", "The request took too long to come in"),
    413: ("body-too-large", "The body is too large"),
    415: ("media-type", "The body is of a kind that is not taken"),
    421: ("wrong-host", "This server does not answer for that host"),
    422: ("invalid-fields", "Some fields cannot be used"),
    503: ("not-ready", "Not ready"),
}
_TOLD = {"no-model", "not-ready", "store-full", "writer-busy"}
"""What is missing here is the caller's to know."""
MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Problem:
    """One problem as RFC 9457 has it.

    Attributes
    ----------
    status : int
        The HTTP status, sent and written.
    slug : str
        The last part of ``type``; an anchor on the reference page.
    title, detail, hint : str
        What kind of problem, what happened now, what to do next.
    errors : sequence of mapping
        For wrong fields: ``{"detail", "pointer"}`` each, the pointer into the body or
        ``#/query/...``, ``#/path/...``.
    extra : mapping
        Further members.
    headers : mapping
        HTTP headers that belong to the answer.
    """

    status: int
    slug: str
    title: str
    detail: str
    hint: str = ""
    errors: Sequence[Mapping[str, str]] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self, *, instance: str, request_id: str | None) -> dict[str, Any]:
        """Return the members of the answer, empty ones left out."""
        members = {
            "type": f"/docs#{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "hint": self.hint,
            "instance": instance,
            "request_id": request_id,
            "errors": list(self.errors),
        }
        return {name: value for name, value in members.items() if value} | dict(self.extra)


def kinds() -> list[tuple[str, int, str]]:
    """Return every kind of problem there is: slug, status, title; by status.

    Examples
    --------
    >>> kinds()[0][:2]
    ('idempotency-key-missing', 400)
    """
    ours = [(slug, status, title) for status, slug, title in TABLE.values()]
    theirs = [(slug, status, title) for status, (slug, title) in _SLUGS.items()]
    return sorted({*ours, *theirs}, key=lambda kind: (kind[1], kind[0]))


class FieldProblem(BaseModel):
    """One field that cannot be used."""

    detail: str = Field(examples=["Input should be 'low', 'medium' or 'high'"])
    pointer: str = Field(examples=["#/query/band"])


class ProblemAnswer(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = Field(examples=["/docs#customer-not-found"])
    title: str = Field(examples=["The shop has no such customer"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no customer with this id."])
    hint: str | None = Field(None, examples=["Ids are those of your own events."])
    instance: str = Field(examples=["/v1/customers/C0/score"])
    request_id: str | None = Field(None, examples=["6b1f9f6e0c0c4a3b"])
    errors: list[FieldProblem] | None = None


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` argument of a route for these statuses.

    Examples
    --------
    >>> list(problem_responses(401)[401]["content"])
    ['application/problem+json']
    """
    schema = {"$ref": "#/components/schemas/ProblemAnswer"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }


def problem_of(error: Exception) -> Problem:
    """Return the problem that an error is.

    Examples
    --------
    >>> problem_of(errors.CustomerNotFound("There is no customer with this id.")).status
    404
    >>> problem_of(RuntimeError("/secret/path")).detail
    'The error has been logged; name the request id when you report it.'
    """
    if isinstance(error, RequestValidationError):
        return _fields_problem(error)
    if isinstance(error, HTTPException):
        return _http_problem(error)
    kind = next((base for base in type(error).__mro__ if base in TABLE), errors.ChurnGuardError)
    status, slug, title = TABLE[kind]
    known = isinstance(error, errors.ChurnGuardError)
    inside = status >= HTTPStatus.INTERNAL_SERVER_ERROR and slug not in _TOLD
    if inside or not known:
        told = "The error has been logged; name the request id when you report it."
        return Problem(status, slug, title, told, headers=getattr(error, "headers", {}))
    assert isinstance(error, errors.ChurnGuardError)
    return Problem(
        status,
        slug,
        title,
        error.message,
        hint=error.hint,
        errors=getattr(error, "errors", ()),
        headers=getattr(error, "headers", {}),
    )


def _http_problem(error: HTTPException) -> Problem:
    status = error.status_code
    phrase = HTTPStatus(status).phrase
    slug, title = _SLUGS.get(status, ("invalid-request", phrase))
    return Problem(
        status,
        slug,
        title,
        error.detail if error.detail != phrase else f"{phrase}.",
        headers=error.headers or {},
    )


def _fields_problem(error: RequestValidationError) -> Problem:
    found = [_field_problem(item) for item in error.errors()]
    count = len(found)
    return Problem(
        422,
        *_SLUGS[422],
        f"{count} {'field' if count == 1 else 'fields'} cannot be used; see errors.",
        errors=found[:100],
    )


def _field_problem(item: Mapping[str, Any]) -> dict[str, str]:
    if item["type"] == "missing" and tuple(item["loc"]) == ("body",):
        return {"detail": "The body is missing.", "pointer": "#"}
    if item["type"] == "json_invalid":
        return {"detail": item["ctx"]["error"], "pointer": "#"}
    return {"detail": item["msg"], "pointer": _pointer(item["loc"])}


def _pointer(location: Sequence[Any]) -> str:
    """Return where a field is: a JSON pointer into the body, or into the query or path."""
    parts = [str(part).replace("~", "~0").replace("/", "~1") for part in location]
    if parts and parts[0] == "body":
        parts = parts[1:]
    return "".join(["#", *(f"/{part}" for part in parts)])


def answer(request: Request, problem: Problem) -> Response:
    """Return a problem as an answer: a page for people at the desk, else problem+json."""
    page = getattr(request.app.state, "problem_page", None)
    response = page(request, problem) if page else None
    if response is None:
        request_id = request.scope.get("churnguard.request_id")
        members = problem.to_dict(instance=request.url.path, request_id=request_id)
        response = Response(orjson.dumps(members), problem.status, media_type=MEDIA_TYPE)
    for name, value in problem.headers.items():
        response.headers[name] = value
    return response


def install(app: FastAPI) -> None:
    """Make an app answer every error of ours, of the framework and of fields in this shape."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        openapi = plain()
        _add_refusals(openapi)
        openapi["components"]["schemas"] |= _schemas()
        return openapi

    app.openapi = described  # type: ignore[method-assign]

    async def handle(request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
            allow = _methods(request, problem.headers.get("Allow", ""))
            problem = replace(problem, headers={"Allow": allow})
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR and problem.slug not in _TOLD:
            log_error(error, request.scope.get("churnguard.request_id"))
        return answer(request, problem)

    for kind in (errors.ChurnGuardError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, handle)


def _methods(request: Request, named: str) -> str:
    """Return every method that a path takes; the framework names those of one route only."""
    methods = {name.strip() for name in named.split(",")}
    for route in _routes(request.app.routes):
        if route.matches(request.scope)[0] != Match.NONE:
            methods |= set(getattr(route, "methods", None) or ())
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods - {""}))


def _routes(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Return all routes, those of routers within routers too."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        yield from [route] if inner is None else _routes(inner.routes)


def _add_refusals(openapi: Mapping[str, Any]) -> None:
    """Describe what every call may answer: too much, too busy, or wrongly sent again."""
    wait = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    for operations in openapi["paths"].values():
        for operation in operations.values():
            if "requestBody" in operation:
                for code, refusal in problem_responses(413, 415).items():
                    operation["responses"].setdefault(str(code), refusal)
            if "security" in operation:
                for code, refusal in problem_responses(429, 503).items():
                    operation["responses"].setdefault(str(code), {**refusal, "headers": wait})
            if any(one["name"] == "idempotency-key" for one in operation.get("parameters", ())):
                for code, refusal in problem_responses(400, 409, 422).items():
                    operation["responses"].setdefault(str(code), refusal)


def _schemas() -> dict[str, Any]:
    """Return the schemas that :func:`problem_responses` refers to."""
    schema = ProblemAnswer.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "ProblemAnswer": schema}


def log_error(error: Exception, request_id: str | None) -> None:
    """Log where an error arose, without its message, which may name a customer."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    facts = {"error": type(error).__name__, "request_id": request_id, "where": where[-12:]}
    logger.error("error", extra={"facts": facts})
