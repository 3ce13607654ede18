"""What was acknowledged is there whatever happens to the process: killed, cut off, sent again."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from harness import History, Server, stored_ids

from churnguard.store.database import upgrade_database

SCOPES = ("events:write", "scores:read")
BATCH = 20


def event(event_id: str, **changes: Any) -> dict[str, Any]:
    said = {"event_id": event_id, "customer_id": "C1", "event": "signed_in"}
    return said | {"occurred_at": "2026-01-01T10:00:00Z"} | changes


class Sender(threading.Thread):
    """Sends batch after batch, each until it is told that they are there."""

    def __init__(self, name: str, server: Server, history: History, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.batches, self.resent, self.wrong = 0, 0, ""
        self._label, self._server, self._history, self._over = name, server, history, stop

    def run(self) -> None:
        while not self._over.is_set() and not self.wrong:
            ids = [f"{self._label}-{self.batches}-{place}" for place in range(BATCH)]
            self._history.sending(ids)
            self._send(ids)
            self.batches += 1

    def _send(self, ids: list[str]) -> None:
        body = orjson.dumps([event(name) for name in ids])
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                with self._server.client(timeout=20) as client:
                    told = client.post("/v1/events", content=body)
            except httpx.TransportError:
                self.resent += 1
                time.sleep(0.02)
                continue
            if told.status_code == 202:
                statuses = {result["status"] for result in told.json()["results"]}
                if not statuses <= {"accepted", "duplicate"}:
                    self.wrong = str(statuses)
                self._history.told(ids)
                return
            time.sleep(0.05)
        self.wrong = "no answer for a minute"


def kill_again_and_again(server: Server, history: History, kills: int) -> None:
    """Kill a server in the midst of ingesting, at any moment, and let it come back."""
    stop, chance = threading.Event(), random.Random(kills)
    senders = [Sender(f"s{number}", server, history, stop) for number in range(3)]
    server.start()
    for sender in senders:
        sender.start()
    for _ in range(kills):
        _wait_for_more(history)
        time.sleep(chance.uniform(0.0, 0.3))
        server.kill()
        server.start()
    time.sleep(0.3)
    stop.set()
    for sender in senders:
        sender.join(timeout=90)
        assert not sender.is_alive()
        assert not sender.wrong
    assert sum(sender.batches for sender in senders) >= kills
    assert sum(sender.resent for sender in senders) >= kills, "each kill was felt"


def _wait_for_more(history: History) -> None:
    """Wait until something more is acknowledged, so that the kill hits a server at work."""
    before, end = len(history.acknowledged), time.monotonic() + 30
    while len(history.acknowledged) == before and time.monotonic() < end:
        time.sleep(0.01)


@pytest.mark.parametrize("kills", [2, pytest.param(100, marks=pytest.mark.chaos)])
@pytest.mark.timeout(1800)
def test_kills_lose_nothing_and_double_nothing(make_server, history, kills):
    """F1: SQLite, SIGKILL at random moments; senders send again until they are told."""
    server = make_server(scopes=SCOPES, warm=True)
    kill_again_and_again(server, history, kills)
    history.check(stored_ids(server.root))


@pytest.mark.chaos
@pytest.mark.postgres
@pytest.mark.timeout(1800)
def test_kills_lose_nothing_and_double_nothing_in_postgres(make_server, history, postgres_url):
    """F1: PostgreSQL, SIGKILL of the service at random moments."""
    upgrade_database(postgres_url)
    environ = {"CHURNGUARD_STORE": postgres_url}
    server = make_server(scopes=SCOPES, environ=environ, warm=True)
    kill_again_and_again(server, history, 100)
    history.check(stored_ids(server.root, **environ))


def test_a_reply_that_never_came_is_asked_for_again(make_server, history):
    """F2: killed between the commit and the client's reading of 202; the retry is a duplicate."""
    ids = [f"e{number}" for number in range(BATCH)]
    body = orjson.dumps([event(name) for name in ids])
    history.sending(ids)
    with make_server(scopes=SCOPES) as server:
        host, port = httpx.URL(server.url).host, httpx.URL(server.url).port
        with socket.create_connection((host, port)) as line:
            head = (
                f"POST /v1/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {server.key}"
                f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            line.sendall(head.encode() + body)
            line.recv(1, socket.MSG_PEEK)  # the answer is on its way, and nobody will read it
            server.kill()
        assert stored_ids(server.root) == ids
        server.start()
        with server.client() as client:
            told = client.post("/v1/events", content=body).json()
        assert (told["accepted"], told["duplicates"]) == (0, BATCH)
    history.told(ids)
    history.check(stored_ids(server.root))


@pytest.mark.chaos
def test_huge_bodies_take_no_memory(make_server):
    """F22: 100 MB, announced or not, is refused while it comes in; the process stays as small."""
    with make_server(scopes=SCOPES) as server, server.client() as client:
        assert client.post("/v1/events", json=event("e1")).status_code == 202
        before = _peak(server)
        part = b" " * 1_000_000

        def endless():
            for _ in range(100):
                yield part

        for content in (b" " * 100_000_000, endless()):
            with contextlib.suppress(httpx.TransportError):  # cut off while it was still sending
                assert client.post("/v1/events", content=content).status_code == 413
        bomb = {"content-encoding": "gzip", "content-type": "application/json"}
        assert client.post("/v1/events", content=b"\x1f\x8b" * 99, headers=bomb).status_code == 415
        assert client.post("/v1/events", content=b"[" * 4_000_000).status_code == 422
        assert _peak(server) - before < 80_000
        assert client.post("/v1/events", json=event("e2")).status_code == 202


def _peak(server: Server) -> int:
    """Return the most memory that a server ever had, in kB."""
    assert server.process is not None
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
