"""Work that event loops hand to threads."""

from __future__ import annotations

import asyncio
import threading

import pytest

from churnguard.serving.threads import Workers


def test_no_more_than_so_many_work_at_a_time():
    """All is done, by as many threads as were asked for."""
    meeting, seen = threading.Barrier(3), set()

    def work():
        meeting.wait(10)
        seen.add(threading.get_ident())
        return len(seen)

    async def story():
        workers = Workers(3)
        await asyncio.gather(*(workers.do(work) for _ in range(12)))

    asyncio.run(story())
    assert len(seen) == 3
    assert threading.get_ident() not in seen


def test_an_error_reaches_whoever_asked_and_the_thread_lives_on():
    async def story():
        workers = Workers(1)
        with pytest.raises(ZeroDivisionError):
            await workers.do(lambda: 1 // 0)
        return await workers.do(lambda: "next")

    assert asyncio.run(story()) == "next"


def test_whoever_stops_waiting_disturbs_nobody():
    """Work that is under way is finished, and a loop that has ended meanwhile breaks nothing."""
    go, workers = threading.Event(), Workers(1)

    async def impatient():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(workers.do(lambda: go.wait(10)), 0.01)

    asyncio.run(impatient())
    go.set()
    assert asyncio.run(workers.do(lambda: "next")) == "next"
