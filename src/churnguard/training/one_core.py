"""Sums on one core: fits run side by side already, and a sum cut among cores has other bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

from threadpoolctl import threadpool_limits

_lock = Lock()
_inside = 0
_limits = ExitStack()


@contextmanager
def one_core() -> Iterator[None]:
    """Hold linear algebra to one core, so that its bits do not depend on how many there are.

    May be entered again and from several threads: the limit falls when the last one leaves.

    Examples
    --------
    >>> from threadpoolctl import threadpool_info
    >>> with one_core():
    ...     {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    {1}
    """
    global _inside  # noqa: PLW0603
    with _lock:
        if not _inside:
            _limits.enter_context(threadpool_limits(1, user_api="blas"))
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _limits.close()
