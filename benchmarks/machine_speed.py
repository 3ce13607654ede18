"""How quick the machine is at the moment: a yardstick to hold timings of different hours against.

Shared machines are at times half as quick as an hour before. Nothing of ChurnGuard runs here.
"""

from __future__ import annotations

import time

_LOOP = 200_000
_TRIES = 25


def yardstick_ms() -> float:
    """Return how many milliseconds a plain loop of Python takes, at best."""
    taken = []
    for _ in range(_TRIES):
        begun = time.perf_counter()
        sum(range(_LOOP))
        taken.append(time.perf_counter() - begun)
    return round(min(taken) * 1000, 2)
