"""A refusal where HTTP is parsed is like every other, and leaves the connection sound."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time

import httpx
import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from churnguard.jobs.keys import create_key
from churnguard.serving import create_app
from churnguard.serving.early_refusals import with_early_refusals
from churnguard.serving.slow_clients import with_head_limits
from churnguard.testing import FakeChampion, FakeScorer, fake_shop

HEAD_SECONDS = 0.3


@pytest.fixture(scope="module")
def served():
    """Serve a shop over a real socket; give its app, address and a key."""
    shop = fake_shop()
    app = create_app(shop, FakeChampion(), scorer=FakeScorer())
    _, key = create_key(shop, "crm", ["scores:read"])
    config = uvicorn.Config(app, log_config=None, lifespan="off")
    config.load()
    timed = with_head_limits(HttpToolsProtocol, seconds=HEAD_SECONDS)
    config.http_protocol_class = with_early_refusals(timed, app.state.places)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield app, listener.getsockname(), key
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def connection(served):
    with contextlib.closing(socket.create_connection(served[1], timeout=10)) as client:
        yield Kept(client)


@pytest.fixture
def full(served, monkeypatch):
    """Leave no place; the fixture's value lets requests in again."""
    places = served[0].state.places
    most = places.most
    monkeypatch.setattr(places, "most", 0)
    return lambda: setattr(places, "most", most)


def asked(served, line, *headers, body=""):
    lines = [f"{line} HTTP/1.1", "Host: x", f"Authorization: Bearer {served[2]}", *headers]
    return "\r\n".join([*lines, "", body]).encode()


class Kept:
    """One kept connection: what is asked, and the answers one after the other."""

    def __init__(self, client):
        self.sendall = client.sendall
        self._answers = client.makefile("rb")

    def answer(self, *, bodiless=False):
        """Return status, headers and body of the next answer."""
        status = int(self._answers.readline().split()[1])
        headers = {}
        while line := self._answers.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name] = value
        length = 0 if bodiless else int(headers["content-length"])
        return status, headers, self._answers.read(length)

    def ended(self):
        return self._answers.read(1) == b""


async def within_the_app(app, path, request_id):
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        return await client.get(path, headers={"X-Request-ID": request_id})


def test_a_refusal_is_the_same_wherever_it_is_made(served, connection, full):
    """Headers and members are those of the wall within the app; the request is named."""
    connection.sendall(asked(served, "GET /v1/customers/C%201/score?x=1", "X-Request-ID: a-1"))
    status, told, body = connection.answer()
    within = asyncio.run(within_the_app(served[0], "/v1/customers/C 1/score", "a-1"))
    assert status == within.status_code == 503
    assert {name: told[name] for name in within.headers} == within.headers
    assert set(told) - set(within.headers) <= {"date", "server"}
    assert json.loads(body) == within.json()
    assert within.json()["request_id"] == told["x-request-id"] == "a-1"
    assert within.json()["instance"] == "/v1/customers/C 1/score"


def test_the_connection_goes_on_and_a_refused_body_is_skipped(served, connection, full):
    head = asked(served, "POST /v1/scores", "Content-Type: application/json", "Content-Length: 9")
    connection.sendall(head + b"GET /")  # the body looks like a head
    assert connection.answer()[0] == 503
    connection.sendall(b"nope")
    full()
    connection.sendall(asked(served, "GET /v1/model"))
    assert connection.answer()[0] == 200


def test_an_idle_connection_is_not_hung_up_on_after_a_refusal(served, connection, full):
    """The time for a head runs from its first byte, and there is none yet."""
    connection.sendall(asked(served, "GET /v1/model"))
    assert connection.answer()[0] == 503
    time.sleep(HEAD_SECONDS * 2)
    connection.sendall(asked(served, "GET /livez"))
    assert connection.answer()[0] == 200


def test_many_at_once_on_one_connection_are_answered_in_turn(served, connection, full):
    names = [f"n{number}" for number in range(20)]
    connection.sendall(
        b"".join(asked(served, "GET /v1/model", f"X-Request-ID: {name}") for name in names)
    )
    told = [connection.answer() for _ in names]
    assert [headers["x-request-id"] for _, headers, _ in told] == names
    assert {status for status, _, _ in told} == {503}


def test_a_head_alone_is_answered_without_a_body(served, connection, full):
    connection.sendall(asked(served, "HEAD /v1/model") + asked(served, "GET /livez"))
    assert connection.answer(bodiless=True)[0] == 503
    assert connection.answer()[0] == 200


def test_who_wants_to_leave_may(served, connection, full):
    connection.sendall(asked(served, "GET /v1/model", "Connection: close"))
    status, headers, _ = connection.answer()
    assert (status, headers["connection"]) == (503, "close")
    assert connection.ended()


def test_who_brings_no_key_is_told_from_others_behind_the_same_proxy(served, connection):
    """A proxy's address is not the caller's: one flood through it leaves the others theirs."""
    places = served[0].state.places
    places.under_way["127.0.0.1"] = places.share
    connection.sendall(b"GET /v1/model HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n")
    assert connection.answer()[0] == 401
    connection.sendall(b"GET /v1/model HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.answer()[0] == 429
    del places.under_way["127.0.0.1"]


def test_every_place_is_given_back(served):
    """Whoever was let in where HTTP is parsed leaves its place with its answer, whatever it is."""
    places = served[0].state.places
    for path in ("/v1/model", "/v1/nothing", "/livez", "/v1/customers/C1/score"):
        with contextlib.closing(socket.create_connection(served[1], timeout=10)) as client:
            client.sendall(asked(served, f"GET {path}", "Connection: close"))
            while client.recv(65_536):
                pass
    end = time.monotonic() + 10
    while places.total and time.monotonic() < end:
        time.sleep(0.01)
    assert (places.total, dict(places.under_way)) == (0, {})
