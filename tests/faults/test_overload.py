"""F19, F20: ten times too much is refused at once, and a flood by one caller hurts no other.

The load is open-loop: requests leave at fixed times whether or not the ones before were answered,
so that a server that stalls is caught at it. The server is a process of its own; what is asked for
is the at-risk list, which costs it a read of the store. Times are held against what the machine can
do at the moment, which is measured first: other work may go on beside the tests.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

import churnguard
from churnguard.jobs.keys import create_key

pytestmark = pytest.mark.chaos

PLACES = 32


@dataclass
class Told:
    """What a load was told: seconds by status; 0 is a connection that failed."""

    seconds: dict[int, list[float]] = field(default_factory=dict)

    def add(self, status, seconds):
        self.seconds.setdefault(status, []).append(seconds)

    def count(self, *statuses):
        return sum(len(self.seconds.get(one, ())) for one in statuses)

    def quantile(self, share, *statuses):
        times = sorted(t for one in statuses for t in self.seconds.get(one, ()))
        return times[min(len(times) - 1, int(len(times) * share))]

    @property
    def total(self):
        return sum(map(len, self.seconds.values()))


class Load:
    """Ask for the at-risk list with some keys in turn, over as many kept connections as needed."""

    def __init__(self, server, *keys):
        parts = urlsplit(server.url)
        self._place = parts.hostname, parts.port
        head = f"GET /v1/at-risk HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer "
        self._texts = itertools.cycle([f"{head}{key}\r\n\r\n".encode() for key in keys])
        self._free = []

    async def once(self, told):
        """Ask once; the time runs from when the request is written."""
        due = time.perf_counter()
        try:
            reader, writer = self._free.pop() if self._free else await self._connect()
            due = time.perf_counter()
            writer.write(next(self._texts))
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            told.add(int(head[9:12]), time.perf_counter() - due)
            self._free.append((reader, writer))
        except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError):
            told.add(0, time.perf_counter() - due)

    async def run(self, rate, seconds):
        """Ask so often a second, for so long."""
        told, begun, tasks = Told(), time.perf_counter(), []
        for number in range(int(rate * seconds)):
            due = begun + number / rate
            if due > time.perf_counter():
                await asyncio.sleep(due - time.perf_counter())
            tasks.append(asyncio.create_task(self.once(told)))
        await asyncio.gather(*tasks)
        return told

    async def capacity(self, seconds):
        """Return how many are answered a second by eight that ask one after the other."""
        told, end = Told(), time.perf_counter() + seconds

        async def ask():
            while time.perf_counter() < end:
                await self.once(told)

        await asyncio.gather(*[ask() for _ in range(8)])
        assert told.count(200) == told.total
        return told.count(200) / seconds

    async def _connect(self):
        return await asyncio.open_connection(*self._place)

    def close(self):
        for _, writer in self._free:
            writer.close()


@pytest.fixture
def server(make_server):
    limits = {
        "CHURNGUARD_REQUESTS_PER_MINUTE": "0",
        "CHURNGUARD_REQUESTS_AT_ONCE": str(PLACES),
    }
    server = make_server(scopes=["scores:read"], environ=limits)
    server.start()
    return server


@pytest.fixture
def more_keys(server):
    """Make more keys of the server's shop."""
    shop = churnguard.open_shop(server.root)
    return [create_key(shop, f"other {number}", ["scores:read"])[1] for number in range(3)]


def budget(rate):
    """Return how long what is accepted may take: four times the places, one after the other."""
    return max(0.5, 4 * PLACES / rate)


def test_ten_times_too_much_is_refused_at_once_and_forgotten_in_seconds(server, more_keys):
    """F19: what is accepted keeps its budget, the rest is told to come back, nothing breaks."""

    async def story():
        load = Load(server, server.key, *more_keys)
        rate = await load.capacity(3)
        flood = await load.run(rate * 10, 5)
        await asyncio.sleep(2)
        after = await load.run(rate / 8, 3)
        load.close()
        return rate, flood, after

    rate, flood, after = asyncio.run(story())
    assert flood.count(200, 429, 503) == flood.total
    assert flood.count(200) > 0
    assert flood.count(429, 503) > flood.total / 3
    assert flood.quantile(0.99, 200) < budget(rate)
    assert after.count(200) == after.total
    assert after.quantile(0.5, 200) < budget(rate) / 2


def test_one_callers_flood_leaves_the_others_as_they_were(server, more_keys):
    """F20: two keys, one at many times its share; the other's requests are all answered."""

    async def story():
        flooding, calm = Load(server, server.key), Load(server, more_keys[0])
        rate = await flooding.capacity(3)
        flood = asyncio.create_task(flooding.run(rate * 5, 6))
        await asyncio.sleep(0.5)
        beside = await calm.run(rate / 10, 4)
        told = await flood
        flooding.close()
        calm.close()
        return rate, beside, told

    rate, beside, flood = asyncio.run(story())
    assert flood.count(429) > flood.count(200)
    assert beside.count(200) == beside.total
    assert beside.quantile(0.99, 200) < budget(rate)
