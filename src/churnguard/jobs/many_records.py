"""For jobs that make a record for everybody: the collector of cycles need not look at them all.

Scores hold no cycles, so that looking for some among a million of them, again and again while they
are made, finds nothing and takes a good part of a night.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SELDOM = (50_000, 20, 1_000)
_under_way: list[tuple[int, int, int]] = []
_lock = threading.Lock()


@contextmanager
def holding_many_records() -> Iterator[None]:
    """Have the collector look at what is young, and hardly ever at everything.

    Memory is freed as ever where nothing refers to it; cycles that grew old wait for the end.

    Examples
    --------
    >>> before = gc.get_threshold()
    >>> with holding_many_records():
    ...     gc.get_threshold() == before
    False
    >>> gc.get_threshold() == before
    True
    """
    with _lock:
        _under_way.append(gc.get_threshold())
        gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        with _lock:  # of jobs side by side the last to end leaves it as the first had found it
            if len(_under_way) > 1:
                _under_way.pop()
            else:
                gc.set_threshold(*_under_way.pop())
