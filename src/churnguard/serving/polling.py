"""What an app does besides answering: ask for a new champion, and write down what can wait.

A champion that cannot be loaded is logged once; the old one keeps answering.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from churnguard.jobs.loops import Loop, running
from churnguard.serving.door import Champion
from churnguard.serving.problems import log_error
from churnguard.serving.threads import answer_with_few_threads

logger = logging.getLogger("churnguard.serving")


TIDY_SECONDS = 60.0
"""Pause between two times that what can wait is written down."""


def lifespan_of(
    champion: Champion,
    *,
    seconds: float,
    tidy: Callable[[], None] = lambda: None,
    loops: Sequence[Loop] = (),
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return the lifespan of an app that keeps its champion fresh.

    Parameters
    ----------
    champion : Champion
        What is refreshed, once before the first request and then again and again.
    seconds : float
        Pause between two looks.
    tidy : callable, optional
        Writes down what can wait; called every :data:`TIDY_SECONDS`, and at the end.
    loops : sequence of Loop
        What else goes on beside, in threads of its own.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        answer_with_few_threads()
        await _refresh(champion)
        tasks = [
            asyncio.create_task(_poll(champion, seconds)),
            asyncio.create_task(_tidy_up(tidy)),
        ]
        background = running(loops)
        background.__enter__()
        try:
            yield
        finally:
            # In a thread: a loop finishes its step, and requests are answered meanwhile.
            await run_in_threadpool(background.__exit__, None, None, None)
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await _do(tidy)

    return lifespan


async def _poll(champion: Champion, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await _refresh(champion)


async def _tidy_up(tidy: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(TIDY_SECONDS)
        await _do(tidy)


async def _do(tidy: Callable[[], None]) -> None:
    try:
        await run_in_threadpool(tidy)
    except Exception as error:  # noqa: BLE001 - what could not be written is written next time
        log_error(error, None)


async def _refresh(champion: Champion) -> None:
    before = champion.error
    try:
        changed = await run_in_threadpool(champion.refresh)
    except Exception as error:  # noqa: BLE001 - whatever it was, the old model keeps serving
        log_error(error, None)
        return
    if changed:
        model = champion.current()
        facts = {"version": model.name.version if model else None}
        logger.info("champion changed", extra={"facts": facts})
    if champion.error and champion.error != before:
        logger.error("champion refused", extra={"facts": {"why": champion.error}})
