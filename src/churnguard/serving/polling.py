"""Ask for a new champion every two seconds, for as long as the app lives.

A champion that cannot be loaded is logged once; the old one keeps answering.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from churnguard.serving.door import Champion
from churnguard.serving.problems import log_error

logger = logging.getLogger("churnguard.serving")


def lifespan_of(
    champion: Champion, *, seconds: float
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return the lifespan of an app that keeps its champion fresh.

    Parameters
    ----------
    champion : Champion
        What is refreshed, once before the first request and then again and again.
    seconds : float
        Pause between two looks.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await _refresh(champion)
        task = asyncio.create_task(_poll(champion, seconds))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    return lifespan


async def _poll(champion: Champion, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await _refresh(champion)


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
