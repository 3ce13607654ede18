"""Routes of the API: who asks is settled before what is asked is read, and JSON is taken strictly.

A :class:`DirectRoute` is one that is asked all the time. A plain request that can be answered goes
straight to its endpoint, in one hop to a thread that reads, works and writes; everything else -
parameters in the query, a body that is no good - goes the framework's way, so that every refusal is
the framework's own.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from json import JSONDecodeError
from typing import Any

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from churnguard.errors import SchemaError
from churnguard.serving.auth import Gate
from churnguard.serving.read_again import read_again
from churnguard.serving.strict_json import read_json
from churnguard.serving.threads import Workers

_WORKERS = Workers()


class SoundJsonRoute(APIRoute):
    """A route that takes what it knows: parameters it has, once each, and a body of strict JSON.

    A parameter that is passed over in silence would be one that its sender relies on.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self._begins = path.partition("{")[0]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a request is for this route."""
        if not scope["path"].startswith(self._begins):
            return Match.NONE, {}
        return super().matches(scope)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler that looks at the key, then reads the body with orjson."""
        handler, gate = super().get_route_handler(), self.gate
        takes_json = self.body_field is not None
        known = None if self.methods == {"OPTIONS"} else frozenset(_parameters(self.dependant))

        async def sound(request: Request) -> Response:
            if gate is not None:
                await gate.admit(request)
            if known is not None:
                _refuse_unknown(request, known)
            if takes_json:
                _demand_json(request)
            return await handler(_SoundRequest(request.scope, request.receive))

        return sound

    @property
    def gate(self) -> Gate | None:
        """Who may ask; None where anybody may, or the endpoint decides."""
        owners = (getattr(one.call, "__self__", None) for one in self.dependant.dependencies)
        return next((owner for owner in owners if isinstance(owner, Gate)), None)


class DirectRoute(SoundJsonRoute):
    """A route that answers plain requests without the framework's layers.

    Its endpoint is a plain function of ``caller`` and either one parameter of the path or a body of
    JSON, and returns a response; what else it takes comes from the query and has a default.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        gate = self.gate
        assert gate is not None
        self._gate, self._layered = gate, self.app
        self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        caller = await self._gate.admit(request)
        if scope["query_string"]:
            await self._layered(scope, receive, send)
            return
        body = await request.body() if self.body_field else b""
        response = await _WORKERS.do(partial(self._work, caller, request, body))
        if response is None:
            await self._layered(scope, read_again(body, receive), send)
        else:
            await response(scope, receive, send)

    def _work(self, caller: Any, request: Request, body: bytes) -> Response | None:
        """Return the answer; None where the request is not plain, or cannot be used."""
        if self.body_field is None:
            (field,) = self.dependant.path_params
            value = request.path_params[field.alias]
        else:
            field = self.body_field
            if _kind(request) != "application/json" or "content-encoding" in request.headers:
                return None
            try:
                value = read_json(body)
            except SchemaError:
                return None
        value, errors = field.validate(value, {}, loc=())
        if errors:
            return None
        response: Response = self.endpoint(caller=caller, **{field.name: value})
        return response


class _SoundRequest(Request):
    async def json(self) -> Any:
        body = await self.body()
        try:
            return read_json(body)
        except SchemaError as error:
            # The one error that the framework takes for a body's own fault.
            raise JSONDecodeError(error.message, "", 0) from None


def _parameters(dependant: Dependant) -> Iterator[str]:
    """Yield the names of all parameters of the query."""
    for field in dependant.query_params:
        yield field.alias
    for one in dependant.dependencies:
        yield from _parameters(one)


def _refuse_unknown(request: Request, known: frozenset[str]) -> None:
    """Refuse parameters that are not known, or stand there twice."""
    said = [name for name, _ in request.query_params.multi_items()]
    wrong = {name: "There is no such parameter." for name in said if name not in known}
    wrong |= {name: "It is said twice." for name in said if name in known and said.count(name) > 1}
    if wrong:
        raise RequestValidationError(
            [{"type": "extra", "loc": ("query", name), "msg": why} for name, why in wrong.items()]
        )


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _demand_json(request: Request) -> None:
    """Refuse a body that says to be something else, before it is taken for wrong fields."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "The body is compressed. Send it as it is.")
    kind, empty = _kind(request), request.headers.get("content-length", "0") == "0"
    if not (kind == "application/json" or kind.endswith("+json") or (empty and not kind)):
        raise HTTPException(415, "The body is no JSON: send it as application/json.")
