"""A load generator of one process: raw HTTP/1.1 over kept connections, so that it costs little.

``python client.py < plan.json`` prints latencies as JSON. Closed loop: each connection asks again
as soon as it is answered. Open loop: requests are due at fixed times, whatever became of the ones
before, and their latency counts from when they were due, so that a server that stalls is seen to.

It shares the machine with the server, so it tells its own processor time, and in an open loop how
late it was itself: what a request waited before the generator came to it is no server's fault.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any, cast

import uvloop


@dataclass
class Tally:
    """What came of the requests of one run."""

    latencies: dict[int, list[float]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    late: list[float] = field(default_factory=list)

    def add(self, status: int, seconds: float) -> None:
        """Count one answer."""
        self.statuses[status] += 1
        self.latencies.setdefault(status, []).append(seconds)


class Connection(asyncio.Protocol):
    """One kept connection with at most one request under way.

    Parameters
    ----------
    free : callable
        Told, with the status of the answer, that it may ask again; 0 where there was no answer,
        and the connection is gone.
    """

    def __init__(self, free: Callable[[Connection, int], None]) -> None:
        self.since = 0.0
        self._free = free
        self._buffer = b""
        self._asking = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes, since: float) -> None:
        """Send a request, whose latency counts from a time."""
        self.since, self._asking = since, True
        if self._transport is None or self._transport.is_closing():
            self._tell(0)
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Tell of an answer once it is whole."""
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
        self._tell(int(head[9:12]))

    def connection_lost(self, _: Exception | None) -> None:
        """Tell whoever waits."""
        self._transport = None
        if self._asking:
            self._tell(0)

    def _tell(self, status: int) -> None:
        self._asking = False
        self._free(self, status)


class Load:
    """Requests asked over a number of connections; a subclass says when.

    Parameters
    ----------
    plan : dict
        ``host``, ``port``, ``connections``, ``seconds``, ``rate`` and ``once``.
    requests : list of bytes
        Asked in turn.
    """

    def __init__(self, plan: dict[str, Any], requests: list[bytes]) -> None:
        self.plan = plan
        self.tally = Tally()
        self.turns = islice(cycle(requests), len(requests) if plan["once"] else None)
        self.under_way = 0
        self._over = asyncio.Event()
        self._connecting: set[asyncio.Task[None]] = set()

    async def run(self) -> Tally:
        """Ask everything, and return what came of it."""
        for _ in range(self.plan["connections"]):
            await self._connect()
        await asyncio.wait_for(self._over.wait(), timeout=self.plan["seconds"] * 2 + 30)
        return self.tally

    def ask(self, connection: Connection, request: bytes, since: float) -> None:
        """Send a request."""
        self.under_way += 1
        connection.ask(request, since)

    def end(self) -> None:
        """Be over as soon as nothing is under way."""
        if not self.under_way:
            self._over.set()

    def ready(self, connection: Connection) -> None:
        """Use a connection that may ask."""
        raise NotImplementedError

    async def _connect(self) -> None:
        loop, plan = asyncio.get_running_loop(), self.plan
        _, connection = await loop.create_connection(
            lambda: Connection(self._answered), plan["host"], plan["port"]
        )
        self.ready(connection)

    def _answered(self, connection: Connection, status: int) -> None:
        self.under_way -= 1
        self.tally.add(status, time.perf_counter() - connection.since)
        if status:
            self.ready(connection)
        else:
            again = asyncio.ensure_future(self._connect())
            self._connecting.add(again)
            again.add_done_callback(self._connecting.discard)


class ClosedLoop(Load):
    """Keep every connection busy for so many seconds, or until all was asked once."""

    begun = 0.0

    def ready(self, connection: Connection) -> None:
        """Ask again at once."""
        now = time.perf_counter()
        self.begun = self.begun or now
        request = next(self.turns, None) if now < self.begun + self.plan["seconds"] else None
        if request is None:
            self.end()
        else:
            self.ask(connection, request, now)


class OpenLoop(Load):
    """Ask at fixed times, on whichever connection is free."""

    def __init__(self, plan: dict[str, Any], requests: list[bytes]) -> None:
        super().__init__(plan, requests)
        self.number, self.most = 0, int(plan["seconds"] * plan["rate"])
        self.begun = 0.0
        self.free: deque[Connection] = deque()
        self.waiting: deque[tuple[float, bytes]] = deque()

    def ready(self, connection: Connection) -> None:
        """Ask what has waited longest, or be free; begin once all are."""
        if self.waiting:
            due, request = self.waiting.popleft()
            self.ask(connection, request, due)
            return
        self.free.append(connection)
        if not self.begun and len(self.free) == self.plan["connections"]:
            self.begun = time.perf_counter()
            self._go_on()
        if self.number == self.most:
            self.end()

    def _go_on(self) -> None:
        """Ask what is due by now, and come back when the next is."""
        while self.number < self.most:
            due = self.begun + self.number / self.plan["rate"]
            late = time.perf_counter() - due
            if late < 0:
                asyncio.get_running_loop().call_later(max(-late, _TICK_SECONDS), self._go_on)
                return
            self.number += 1
            self.tally.late.append(late)
            self.waiting.append((due, next(self.turns)))
            if self.free:
                self.ready(self.free.popleft())
            if self.number % _AT_A_TIME == 0:
                asyncio.get_running_loop().call_soon(self._go_on)
                return


_TICK_SECONDS = 0.001
"""The loop's clock is no finer: it would spin through anything shorter."""
_AT_A_TIME = 16
"""Requests that are sent before answers are looked at again."""


async def carried_out(plan: dict[str, Any], requests: list[bytes]) -> Tally:
    """Return what came of a plan."""
    return await (OpenLoop if plan["rate"] else ClosedLoop)(plan, requests).run()


def main() -> None:
    """Read a plan, carry it out, and print what came of it."""
    plan = json.load(sys.stdin)
    requests = [text.encode("latin-1") for text in json.loads(Path(plan["requests"]).read_text())]
    begun, used = time.perf_counter(), time.process_time()
    tally = uvloop.run(carried_out(plan, requests))
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - begun,
                "processor_seconds": time.process_time() - used,
                "late": tally.late,
                "statuses": {str(status): times for status, times in tally.statuses.items()},
                "latencies": {str(status): times for status, times in tally.latencies.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
