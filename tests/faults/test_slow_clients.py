"""F21: clients that dawdle or send monsters are hung up on, and hold nobody else up."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import httpx
import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from churnguard.jobs.keys import create_key
from churnguard.serving import create_app
from churnguard.serving.slow_clients import SlowClients, with_head_timeout
from churnguard.testing import FakeChampion, FakeScorer, fake_shop

HEAD_SECONDS = BODY_SECONDS = 0.4


@pytest.fixture(scope="module")
def address():
    """Serve a shop over a real socket, with short times for heads and bodies."""
    shop = fake_shop()
    app = create_app(shop, FakeChampion(), scorer=FakeScorer())
    _, key = create_key(shop, "crm", ["scores:read"])
    config = uvicorn.Config(
        SlowClients(app, body_seconds=BODY_SECONDS), log_config=None, lifespan="off"
    )
    config.load()
    config.http_protocol_class = with_head_timeout(H11Protocol, seconds=HEAD_SECONDS)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield listener.getsockname(), key
        server.should_exit = True
        thread.join(10)


def connect(address):
    return contextlib.closing(socket.create_connection(address[0], timeout=10))


def read_all(client):
    """Read until the server hangs up."""
    parts = []
    while part := client.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def read_answer(client):
    """Read one good answer of ``/livez``."""
    told = b""
    while not told.endswith(b'{"status":"alive"}'):
        told += client.recv(65_536)
    return b"200 OK" in told


def ask(address):
    """Ask as an honest client; return how long it took."""
    begun = time.monotonic()
    answer = httpx.get(f"http://127.0.0.1:{address[0][1]}/livez", timeout=10)
    assert answer.status_code == 200
    return time.monotonic() - begun


@pytest.mark.parametrize("sent", [b"", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nHost: x\r\nX: "])
def test_a_head_that_never_ends_is_hung_up_on(address, sent):
    with connect(address) as client:
        client.sendall(sent)
        begun = time.monotonic()
        assert read_all(client).startswith(b"HTTP/1.1 408 ")
        assert HEAD_SECONDS * 0.5 < time.monotonic() - begun < 5


def test_a_byte_now_and_then_buys_no_time(address):
    """Slowloris: the time runs from the first byte, not from the last."""
    with connect(address) as client:
        begun = time.monotonic()
        told = b""
        for byte in b"GET /livez HTTP/1.1\r\nX-Slow: " + b"a" * 1000:
            try:
                client.sendall(bytes([byte]))
                client.settimeout(0.02)
                told = client.recv(100)
                break
            except TimeoutError:
                continue
        assert told.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - begun < 5


def test_a_second_head_on_the_same_connection_has_its_time_too(address):
    with connect(address) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(client)
        time.sleep(HEAD_SECONDS * 2)  # an idle connection may wait
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(client)
        client.sendall(b"GET /liv")
        assert read_all(client).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_never_ends_is_a_408(address):
    head = (
        f"POST /v1/scores HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {address[1]}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    with connect(address) as client:
        client.sendall(head.encode())
        told = read_all(client)
    assert told.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in told
    assert b"/docs#too-slow" in told


def test_a_huge_head_is_refused(address):
    """Whatever the size, the server reads a bounded part of it."""
    with connect(address) as client, contextlib.suppress(ConnectionError):
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Huge: ")
        for _ in range(200):
            client.sendall(b"a" * 65_536)
        assert read_all(client).startswith(b"HTTP/1.1 4")


def test_two_hundred_dawdlers_hold_nobody_up(address):
    quiet = sorted(ask(address) for _ in range(20))[10]
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            client = stack.enter_context(connect(address))
            client.sendall(b"POST /v1/scores HTTP/1.1\r\nHost: x\r\n")
        busy = sorted(ask(address) for _ in range(20))[10]
    assert busy < max(0.25, 10 * quiet)
