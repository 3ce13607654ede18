"""Refusals that are written where HTTP is parsed, before a request becomes a task.

When there are thousands a second, the way through the server and the framework is most of what a
refusal costs. Here it is a few lines of bytes. What is unusual - an answer that is still under way
on the same connection, a ``HEAD``, a caller without a key - goes the long way and meets the same
places there.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from starlette.types import Scope

from churnguard.serving.overload import REFUSED, Places, credential_of, refusal
from churnguard.serving.problems import Problem


def with_early_refusals(protocol: type[Any], places: Places) -> type[Any]:
    """Return uvicorn's protocol with requests refused, or given their place, as they come in.

    Parameters
    ----------
    protocol : type
        A protocol of uvicorn's; the one on httptools says when it begins to answer a request,
        any other is left to the app's own wall.
    places : Places
        How many requests are answered at a time; the app's own.
    """

    class Refusing(protocol):  # type: ignore[misc]
        def _start_asgi_task(self, cycle: Any, app: Any) -> None:
            """Begin to answer a request, unless there is no place for it."""
            scope = cycle.scope
            plain = app is self.app and cycle is self.cycle and not self.transport.is_closing()
            # An address counts only once the server has seen through the proxies before it.
            known = places.full or credential_of(scope) is not None
            here = plain and known and scope["method"] != "HEAD"
            problem = places.enter(scope) if here else None
            if problem is None:
                super()._start_asgi_task(cycle, app)
                return
            lines = list(self.server_state.default_headers)
            leave = _LEAVE in lines
            if not (cycle.keep_alive or leave):
                leave = True
                lines.append(_LEAVE)
            self.transport.write(_written(problem, scope, lines))
            cycle.response_started = cycle.response_complete = True
            if leave:
                self.transport.close()
            self.on_response_complete()

    return Refusing


def _written(problem: Problem, scope: Scope, lines: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a refusal as it is sent, with further lines in its head."""
    own, body = refusal(problem, scope)
    head = [_BEGINNINGS[problem.status], *(b"%b: %b\r\n" % line for line in (*lines, *own))]
    return b"".join([*head, b"\r\n", body])


_LEAVE = (b"connection", b"close")
_BEGINNINGS = {
    status: b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode())
    + b"".join(b"%b: %b\r\n" % line for line in REFUSED)
    for status in (429, 503)
}
