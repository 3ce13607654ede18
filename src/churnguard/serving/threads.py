"""How many threads answer requests: few, for Python lets one of them compute at a time.

More would only take turns at the same work, each turn at the cost of a switch, and keep the thread
that reads and refuses requests from its own turn. A few compute while others wait for the store.
What waits for the disk waits in no thread: see ``group_commit.py``.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from anyio import to_thread

THREADS = 4
"""How many a process has for scores, and how many for all other requests."""
TURN_SECONDS = 0.001
"""How long a thread computes while another wants to."""

Result = TypeVar("Result")
_Work = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


def answer_with_few_threads() -> None:
    """Bound the threads of the event loop that runs this, and the turns that they take."""
    to_thread.current_default_thread_limiter().total_tokens = THREADS
    sys.setswitchinterval(TURN_SECONDS)


class Workers:
    """Threads that work for event loops, and nothing else: a way there and back that costs little.

    What is asked of them is done whatever becomes of whoever asked. The threads begin with the
    first work and end with the process.

    Parameters
    ----------
    count : int
        How many.

    Examples
    --------
    >>> asyncio.run(Workers(1).do(lambda: 6 * 7))
    42
    """

    def __init__(self, count: int = THREADS) -> None:
        self._count = count
        self._begun = threading.Lock()
        self._waiting: SimpleQueue[_Work] = SimpleQueue()

    async def do(self, work: Callable[[], Result]) -> Result:
        """Have work done in one of the threads, and return what it returns."""
        if self._count:
            self._begin()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()
        self._waiting.put((loop, done, work))
        return await done

    def _begin(self) -> None:
        with self._begun:
            for number in range(self._count):
                name = f"worker-{number}"
                threading.Thread(target=self._run, name=name, daemon=True).start()
            self._count = 0

    def _run(self) -> None:
        while True:
            loop, done, work = self._waiting.get()
            error, result = None, None
            try:
                result = work()
            except BaseException as raised:  # noqa: BLE001 - it is whoever asked who is told
                error = raised
            with suppress(RuntimeError):  # the loop may have ended meanwhile
                loop.call_soon_threadsafe(_tell, done, result, error)
            del done, work, error, result


def _tell(done: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    """Hand a result over, unless nobody waits for it any more."""
    if done.done():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
