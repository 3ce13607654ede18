"""Wrong keys make their senders wait, longer each time: by address, and by the key they try for.

A key has 256 random bits, so nobody guesses one; the wait keeps the noise down and costs an
attacker the look-ups. Whether a key of that name exists makes no difference, so nothing is learned.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

FREE_TRIES = 10
"""Wrong tries that cost no wait: a key mistyped in a deployment must not lock a shop out."""
LONGEST_WAIT = 60.0
FORGOTTEN_SECONDS = 900.0
_MOST = 10_000


@dataclass
class _Tries:
    failures: int
    last: float
    until: float


class FailedTries:
    """Count wrong tries under names, and tell who has to wait.

    Parameters
    ----------
    monotonic : callable
        Seconds that only ever rise.

    Examples
    --------
    >>> tries = FailedTries(monotonic=lambda: 0.0)
    >>> for _ in range(12):
    ...     tries.failed(["ip 192.0.2.1"])
    >>> tries.wait(["ip 192.0.2.1"]), tries.wait(["ip 192.0.2.2"])
    (2, 0)
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._tries: OrderedDict[str, _Tries] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, names: Iterable[str]) -> int:
        """Return for how many whole seconds none of these may try; 0: now."""
        now = self._monotonic()
        with self._lock:
            ends = [self._tries[name].until for name in names if name in self._tries]
        return max(0, math.ceil(max(ends, default=now) - now))

    def failed(self, names: Iterable[str]) -> None:
        """Count a wrong try; after the free ones each doubles the wait."""
        now = self._monotonic()
        with self._lock:
            for name in names:
                kept = self._tries.pop(name, None)
                if kept is None or now - kept.last > FORGOTTEN_SECONDS:
                    kept = _Tries(0, now, now)
                kept.failures += 1
                kept.last = now
                over = kept.failures - FREE_TRIES
                if over > 0:
                    kept.until = now + min(LONGEST_WAIT, 2.0 ** min(over - 1, 10))
                self._tries[name] = kept
            while len(self._tries) > _MOST:
                self._tries.popitem(last=False)
