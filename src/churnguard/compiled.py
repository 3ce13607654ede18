"""Loops over integers, compiled: the one way to make them, and how many may run side by side.

Compiled code is kept on disk where a folder for it can be written. No fastmath, no threads inside a
loop; ``nogil`` lets callers run several of them at once.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numba

_Loop = TypeVar("_Loop", bound=Callable[..., Any])
_Part = TypeVar("_Part")
_Done = TypeVar("_Done")


def compiled(loop: _Loop) -> _Loop:
    """Compile a loop, cached on disk where a folder for the cache can be written."""
    try:
        return numba.njit(cache=True, nogil=True)(loop)  # type: ignore[no-any-return]
    except RuntimeError:  # numba found no folder it may write to
        return numba.njit(nogil=True)(loop)  # type: ignore[no-any-return]


def processors() -> int:
    """Return how many processors this process may use.

    Examples
    --------
    >>> processors() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def side_by_side(
    work: Callable[[_Part], _Done], parts: Sequence[_Part], *, threads: int | None = None
) -> list[_Done]:
    """Do some work on several parts; what it returns comes in their order.

    Parameters
    ----------
    threads : int, optional
        One a processor by default.

    Examples
    --------
    >>> side_by_side(lambda part: part * 2, [1, 2])
    [2, 4]
    """
    threads = min(threads or processors(), len(parts))
    if threads <= 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, parts))


def streamed(
    work: Callable[[_Part], _Done], parts: Iterable[_Part], *, threads: int | None = None
) -> Iterator[_Done]:
    """Do some work on parts as they come, a few at a time; what it returns comes in their order.

    Parameters
    ----------
    parts : iterable
        Taken one by one, while the work on those before is under way.
    threads : int, optional
        One a processor by default.

    Examples
    --------
    >>> list(streamed(lambda part: part * 2, iter([1, 2, 3])))
    [2, 4, 6]
    """
    threads = threads or processors()
    if threads <= 1:
        yield from map(work, parts)
        return
    with ThreadPoolExecutor(threads) as pool:
        under_way: deque[Future[_Done]] = deque()
        for part in parts:
            under_way.append(pool.submit(work, part))
            if len(under_way) > threads:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
