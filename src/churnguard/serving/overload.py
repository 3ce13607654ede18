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

from churnguard.serving.headers import ENCODED
from churnguard.serving.problems import MEDIA_TYPE, Problem
from churnguard.serving.request_ids import request_id_of

logger = logging.getLogger("churnguard.serving")

MOST_AT_ONCE = 64
"""Requests that are answered at a time."""
ALWAYS_ANSWERED = frozenset({"/livez", "/readyz", "/metrics"})
"""Paths on which a supervisor looks; they take no place."""
ENTERED = "churnguard.entered"
"""Where a scope tells that its request has a place already."""

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


class Places:
    """Count the requests under way, in all and of one caller, and those that found no place.

    Parameters
    ----------
    most : int
        Places.
    refused : callable, optional
        Told the slug of each refusal, to count it.
    monotonic : callable
        Seconds that only ever rise.
    """

    def __init__(
        self,
        most: int = MOST_AT_ONCE,
        *,
        refused: Callable[[str], None] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most = most
        self.share = max(1, most // 2)
        self.under_way: Counter[bytes | str] = Counter()
        self.total = 0
        self._refused = refused
        self._monotonic = monotonic
        self._told_at, self._untold = -1e9, 0

    @property
    def full(self) -> bool:
        """Whether there is no place for anybody."""
        return self.total >= self.most

    def enter(self, scope: Scope) -> Problem | None:
        """Give a request a place, or return why there is none for it."""
        if scope["path"] in ALWAYS_ANSWERED:
            return None
        who = _who(scope)
        if self.full:
            return self._none(OVERLOADED)
        if self.under_way[who] >= self.share:
            return self._none(TOO_MANY)
        self.total += 1
        self.under_way[who] += 1
        scope[ENTERED] = who
        return None

    def leave(self, scope: Scope) -> None:
        """Take back the place of a request, if it has one."""
        who = scope.pop(ENTERED, None)
        if who is None:
            return
        self.total -= 1
        self.under_way[who] -= 1
        if not self.under_way[who]:
            del self.under_way[who]

    def _none(self, problem: Problem) -> Problem:
        """Count a refusal; log, once a second, how many there were."""
        self._refused(problem.slug)
        self._untold += 1
        now = self._monotonic()
        if now - self._told_at >= 1:
            logger.warning("requests refused", extra={"facts": {"refused": self._untold}})
            self._told_at, self._untold = now, 0
        return problem


class Overload:
    """Answer whoever has a place, or is given one; refuse the others.

    Parameters
    ----------
    app : ASGI application
        What answers.
    places : Places
        How many there are; a server that parses HTTP may have given them away already
        (``early_refusals.py``).
    """

    def __init__(self, app: ASGIApp, places: Places) -> None:
        self.app = app
        self.places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        problem = None if ENTERED in scope else self.places.enter(scope)
        if problem is not None:
            own, body = refusal(problem, scope)
            start: Message = {"type": "http.response.start", "status": problem.status}
            await send({**start, "headers": [*REFUSED, *own]})
            await send({"type": "http.response.body", "body": body})
            return
        try:
            await self.app(scope, receive, send)
        finally:
            self.places.leave(scope)


def refusal(problem: Problem, scope: Scope) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return the body that tells a request that there is no place for it, and its own headers."""
    request_id = request_id_of(scope)
    body = b'%b,"instance":%b,"request_id":"%b"}' % (
        _BEGINNINGS[problem.slug],
        orjson.dumps(scope["path"]),
        request_id,
    )
    length = str(len(body)).encode()
    return [(b"x-request-id", request_id), (b"content-length", length)], body


REFUSED = [
    *ENCODED,
    (b"content-type", MEDIA_TYPE.encode()),
    (b"retry-after", b"1"),
]
"""Headers that all refusals share."""
_BEGINNINGS = {
    problem.slug: orjson.dumps(problem.to_dict(instance="", request_id=None))[:-1]
    for problem in (TOO_MANY, OVERLOADED)
}
"""The members of a refusal that are the same for all, written once."""


def credential_of(scope: Scope) -> bytes | None:
    """Return what a request sends to be known by, unlooked at."""
    return next(
        (bytes(value) for name, value in scope["headers"] if name == b"authorization"), None
    )


def _who(scope: Scope) -> bytes | str:
    """Return what tells callers apart before they are known: their credential, or address."""
    credential = credential_of(scope)
    if credential is not None:
        return credential
    return str(scope["client"][0]) if scope.get("client") else ""
