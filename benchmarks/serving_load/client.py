"""A load generator of one process: raw HTTP/1.1 over kept connections, so that it costs little.

``python client.py < plan.json`` prints latencies as JSON. Closed loop: each connection asks again
as soon as it is answered. Open loop: requests are due at fixed times, whatever became of the ones
before, and their latency counts from when they were due, so that a server that stalls is seen to.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any


@dataclass
class Tally:
    """What came of the requests of one run."""

    latencies: dict[int, list[float]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0

    def add(self, status: int, seconds: float) -> None:
        """Count one answer."""
        self.statuses[status] += 1
        self.latencies.setdefault(status, []).append(seconds)


class Connection(asyncio.Protocol):
    """One kept connection with at most one request under way."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answered: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer the waiting request once its answer is whole."""
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        low = head.lower()
        place = low.find(b"content-length:")
        length = int(low[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
        if len(body) < length:
            return
        self._buffer = body[length:]
        answered, self._answered = self._answered, None
        if answered is not None and not answered.done():
            answered.set_result(int(head[9:12]))

    def connection_lost(self, _: Exception | None) -> None:
        """Tell whoever waits."""
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(0)
        self.transport = None

    async def ask(self, request: bytes) -> int:
        """Send a request and return the status of its answer; 0 where there was none."""
        if self.transport is None or self.transport.is_closing():
            return 0
        self._answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answered


async def connected(plan: dict[str, Any]) -> Connection:
    """Open a connection."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, plan["host"], plan["port"])
    return connection


async def closed_loop(plan: dict[str, Any], requests: list[bytes]) -> Tally:
    """Keep every connection busy for so many seconds, or until all was asked once."""
    tally = Tally()
    turns: Iterator[bytes] = iter(requests) if plan["once"] else cycle(requests)
    end = time.perf_counter() + plan["seconds"]

    async def keep_asking() -> None:
        connection = await connected(plan)
        while (begun := time.perf_counter()) < end:
            request = next(turns, None)
            if request is None:
                return
            status = await connection.ask(request)
            tally.add(status, time.perf_counter() - begun)
            if status == 0:
                connection = await connected(plan)

    await asyncio.gather(*(keep_asking() for _ in range(plan["connections"])))
    return tally


async def open_loop(plan: dict[str, Any], requests: list[bytes]) -> Tally:
    """Ask at fixed times, on whichever connection is free."""
    tally = Tally()
    free: deque[Connection] = deque([await connected(plan) for _ in range(plan["connections"])])
    waiting: deque[tuple[float, bytes]] = deque()
    running: set[asyncio.Task[None]] = set()

    async def serve(connection: Connection, due: float, request: bytes) -> None:
        while True:
            status = await connection.ask(request)
            tally.add(status, time.perf_counter() - due)
            if status == 0 or connection.transport is None:
                connection = await connected(plan)
            if not waiting:
                free.append(connection)
                return
            due, request = waiting.popleft()

    begun, pause = time.perf_counter(), 1 / plan["rate"]
    for number in range(int(plan["seconds"] * plan["rate"])):
        due = begun + number * pause
        while (early := due - time.perf_counter()) > 0:  # noqa: ASYNC110 - time is awaited
            await asyncio.sleep(early)
        request = requests[number % len(requests)]
        if free:
            task = asyncio.create_task(serve(free.popleft(), due, request))
            running.add(task)
            task.add_done_callback(running.discard)
        else:
            waiting.append((due, request))
        if number % 16 == 0:
            await asyncio.sleep(0)
    await asyncio.wait_for(asyncio.gather(*running), timeout=plan["seconds"] + 30)
    return tally


def main() -> None:
    """Read a plan, carry it out, and print what came of it."""
    plan = json.load(sys.stdin)
    requests = [text.encode("latin-1") for text in json.loads(Path(plan["requests"]).read_text())]
    loop = open_loop if plan["rate"] else closed_loop
    begun = time.perf_counter()
    tally = asyncio.run(loop(plan, requests))
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - begun,
                "statuses": {str(status): times for status, times in tally.statuses.items()},
                "latencies": {str(status): times for status, times in tally.latencies.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
