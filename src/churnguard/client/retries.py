"""When a request is sent again, and after how long: backoff with full jitter, and Retry-After."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from churnguard.client.failures import ApiError, Unavailable, failure_of
from churnguard.client.transport import Reply, Request, Transport

WORTH_REPEATING = frozenset({408, 425, 429, 502, 503, 504})
"""Statuses after which the same request may well succeed."""


@dataclass(frozen=True)
class Retries:
    """How patient a client is.

    Attributes
    ----------
    attempts : int
        How often a request is sent at most.
    first, longest : float
        Seconds: the bound of the first wait, which doubles each time, and the bound of all.
    sleep, jitter : callable
        How to wait, and a number between 0 and 1.

    Examples
    --------
    >>> waits = []
    >>> patient = Retries(attempts=4, sleep=waits.append, jitter=lambda: 1.0)
    >>> busy = lambda request: Reply(503, {}, b"")
    >>> patient.send(busy, Request("GET", "/v1/model", {}))
    Traceback (most recent call last):
    churnguard.client.failures.Unavailable: The service answered 503.
    >>> waits
    [0.25, 0.5, 1.0]
    """

    attempts: int = 5
    first: float = 0.25
    longest: float = 30.0
    sleep: Callable[[float], object] = field(default=time.sleep, repr=False)
    jitter: Callable[[], float] = field(default=random.random, repr=False)

    def send(self, transport: Transport, request: Request) -> Reply:
        """Send a request that is safe to repeat, until it is answered or patience ends.

        Raises
        ------
        ApiError
            The last failure.
        """
        for number in range(self.attempts):
            failure = self._try(transport, request)
            if isinstance(failure, Reply):
                return failure
            again = failure.status in (0, *WORTH_REPEATING) or failure.kind == "still-running"
            if not again or number == self.attempts - 1:
                raise failure
            self.sleep(self._wait(number, failure.retry_after))
        raise AssertionError("attempts is at least 1")

    def _try(self, transport: Transport, request: Request) -> Reply | ApiError:
        try:
            reply = transport(request)
        except OSError as error:
            return Unavailable(
                f"The service cannot be reached: {error}.", hint="Is it running at this address?"
            )
        return reply if reply.status < 400 else failure_of(reply)

    def _wait(self, number: int, asked: float | None) -> float:
        """Return how long to wait: no less than the service asked for, unless that is too long."""
        bound = min(self.longest, self.first * 2.0**number)
        return min(self.longest, max(bound * self.jitter(), asked or 0.0))
