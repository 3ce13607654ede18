"""Spares callers the wait for a store that is known to be out of reach.

After a call found the store gone, others are refused at once for a second; then one is let in to
look. So a store that hangs costs a request milliseconds, not a time-out, and piles nothing up.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from churnguard.errors import StoreUnavailable

PAUSE_SECONDS = 1.0
"""How long nobody tries after the store was found out of reach."""


class Breaker:
    """Knows whether a store was out of reach a moment ago.

    Parameters
    ----------
    monotonic : callable
        Seconds that only ever rise.

    Examples
    --------
    >>> breaker = Breaker()
    >>> breaker.check()
    >>> breaker.failed()
    >>> breaker.check()
    Traceback (most recent call last):
        ...
    churnguard.errors.StoreUnavailable: The store was out of reach a moment ago.
    >>> breaker.worked()
    >>> breaker.check()
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._closed_until = 0.0

    def check(self) -> None:
        """Let a caller through, or refuse at once.

        Raises
        ------
        StoreUnavailable
            If the store was out of reach within the last second, and nobody has looked since.
        """
        if not self._closed_until:
            return
        now = self._monotonic()
        if now < self._closed_until:
            raise StoreUnavailable("The store was out of reach a moment ago.")
        self._closed_until = now + PAUSE_SECONDS  # this caller looks, the others wait for it

    def failed(self) -> None:
        """Remember that the store is out of reach."""
        self._closed_until = self._monotonic() + PAUSE_SECONDS

    def worked(self) -> None:
        """Remember that the store answers."""
        self._closed_until = 0.0
