"""The outermost wall: what the process cannot answer soon, it refuses at once.

So many requests are answered at a time; more would only wait for each other. One caller gets at
most half of these places, so that a flood from one leaves room for the others. A refusal is made
before anything is read, checked or logged: it has to stay cheap when there are thousands a second.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from churnguard.serving.headers import SECURITY_HEADERS
from churnguard.serving.problems import MEDIA_TYPE, Problem

logger = logging.getLogger("churnguard.serving")

MOST_AT_ONCE = 64
"""Requests that are answered at a time."""
ALWAYS_ANSWERED = frozenset({"/livez", "/readyz", "/metrics"})
"""Paths on which a supervisor looks; they take no place."""

TOO_MANY = Problem(
    429,
    "too-many-at-once",
    "You have too many requests under way",
    "One caller may use half of the places of this process.",
    hint="Send fewer requests at a time.",
    headers={"Retry-After": "1"},
)
OVERLOADED = Problem(
    503,
    "overloaded",
    "The service is busy",
    "As many requests are under way as this process answers at a time.",
    hint="Send it again after the time that Retry-After names.",
    headers={"Retry-After": "1"},
)


class Overload:
    """Bound how many requests are under way, in all and of one caller.

    Parameters
    ----------
    app : ASGI application
        What answers.
    most : int
        Places.
    refused : callable, optional
        Told the slug of each refusal, to count it.
    monotonic : callable
        Seconds that only ever rise.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        most: int = MOST_AT_ONCE,
        refused: Callable[[str], None] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app = app
        self.most = most
        self.share = max(1, most // 2)
        self.under_way: Counter[bytes | str] = Counter()
        self.total = 0
        self.draining = False
        self._refused = refused
        self._monotonic = monotonic
        self._told_at, self._untold = -1e9, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or refuse it."""
        if scope["type"] != "http" or scope["path"] in ALWAYS_ANSWERED:
            await self.app(scope, receive, send)
            return
        who = _who(scope)
        if self.total >= self.most:
            await self._refuse(OVERLOADED, scope, send)
            return
        if self.under_way[who] >= self.share:
            await self._refuse(TOO_MANY, scope, send)
            return
        self.total += 1
        self.under_way[who] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.total -= 1
            self.under_way[who] -= 1
            if not self.under_way[who]:
                del self.under_way[who]

    async def _refuse(self, problem: Problem, scope: Scope, send: Send) -> None:
        self._refused(problem.slug)
        self._tell()
        members = problem.to_dict(instance=scope["path"], request_id=None)
        body = orjson.dumps(members)
        headers = [*_HEADERS, (b"content-length", str(len(body)).encode())]
        start: Message = {"type": "http.response.start", "status": problem.status}
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _tell(self) -> None:
        """Log refusals, once a second however many there are."""
        self._untold += 1
        if self._monotonic() - self._told_at >= 1:
            logger.warning("requests refused", extra={"facts": {"refused": self._untold}})
            self._told_at, self._untold = self._monotonic(), 0


_HEADERS = [
    (name.lower().encode(), value.encode())
    for name, value in {
        **SECURITY_HEADERS,
        "Content-Type": MEDIA_TYPE,
        "Retry-After": "1",
    }.items()
]


def _who(scope: Scope) -> bytes | str:
    """Return what tells callers apart before they are known: their credential, or address."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            return bytes(value)
    return str(scope["client"][0]) if scope.get("client") else ""
