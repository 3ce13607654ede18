"""F35: asked to end under load, it finishes what it began, cuts nobody off, and exits with 0."""

from __future__ import annotations

import signal
import threading
import time

import httpx
import pytest


class _Load:
    """Clients that ask one after the other, each on one connection, until refused."""

    def __init__(self, server, clients):
        self.answers, self.refused, self.cut_off = [], 0, []
        self._server = server
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self._threads:
            thread.join(30)

    def _ask(self):
        with self._server.client() as client:
            while True:
                try:
                    answer = client.get("/v1/at-risk")
                    self.answers.append((answer.status_code, len(answer.content)))
                except httpx.ConnectError:
                    self.refused += 1
                    return
                except httpx.TransportError as error:
                    self.cut_off.append(repr(error))
                    return


@pytest.mark.chaos
def test_nobody_is_cut_off_and_it_exits_with_0(make_server):
    """Sixteen busy clients: every request that was begun is answered; then they are refused."""
    server = make_server(scopes=["scores:read"], environ={"CHURNGUARD_REQUESTS_PER_MINUTE": "0"})
    server.start()
    with _Load(server, 16) as load:
        while len(load.answers) < 64:
            time.sleep(0.05)
        assert server.stop() == 0
    assert load.cut_off == []
    assert load.refused == 16
    assert {code for code, _ in load.answers} <= {200, 429, 503}


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.chaos
def test_an_idle_server_ends_at_once(make_server, sent):
    server = make_server()
    server.start()
    begun = time.monotonic()
    server.process.send_signal(sent)
    assert server.process.wait(timeout=20) == 0
    assert time.monotonic() - begun < 10


@pytest.mark.chaos
def test_a_second_signal_does_not_wait(make_server):
    """A client that never sends its body holds the first one up for seconds, the second not."""
    times = []
    for signals in (1, 2):
        server = make_server(f"shop{signals}", scopes=["scores:read"])
        server.start()
        host, port = server.url.removeprefix("http://").split(":")
        import socket

        with socket.create_connection((host, int(port))) as client:
            head = (
                "POST /v1/scores HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                f"Authorization: Bearer {server.key}\r\nContent-Length: 9\r\n\r\n"
            )
            client.sendall(head.encode())
            time.sleep(0.5)
            begun = time.monotonic()
            for _ in range(signals):
                server.process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
            assert server.process.wait(timeout=60) == 0
            times.append(time.monotonic() - begun)
    assert times[1] < 5 < times[0] < 30
