"""F21: clients that dawdle or send monsters are hung up on, and hold nobody else up."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import httpx
import pytest
import uvicorn

from churnguard.jobs.keys import create_key
from churnguard.serving import create_app
from churnguard.serving.slow_clients import SlowClients, with_head_limits
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
    protocol = with_head_limits(config.http_protocol_class, seconds=HEAD_SECONDS)
    config.http_protocol_class = protocol
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
        pytest.fail("it is read to its end")


def test_who_sends_a_huge_head_is_told_so(address):
    """A little more than may be, so that the answer is not lost in a reset."""
    with connect(address) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Huge: " + b"a" * 65_536)
        assert read_all(client).startswith(b"HTTP/1.1 431 ")


def test_heads_of_a_kept_connection_are_counted_one_by_one(address):
    head = b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Large: " + b"a" * 40_000
    with connect(address) as client:
        for _ in range(3):
            client.sendall(head)
            client.sendall(b"\r\n\r\n")
            assert read_answer(client)


def test_two_hundred_dawdlers_hold_nobody_up(address):
    quiet = sorted(ask(address) for _ in range(20))[10]
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            client = stack.enter_context(connect(address))
            client.sendall(b"POST /v1/scores HTTP/1.1\r\nHost: x\r\n")
        busy = sorted(ask(address) for _ in range(20))[10]
    assert busy < max(0.25, 10 * quiet)


@pytest.mark.chaos
def test_a_server_as_it_is_started_hangs_up_on_dawdlers(make_server):
    """The same of ``churnguard serve``: heads and bodies without end, honest callers between."""
    with make_server(scopes=["scores:read"]) as server, contextlib.ExitStack() as stack:
        host, port = server.url.removeprefix("http://").split(":")
        head = "POST /v1/scores HTTP/1.1\r\nHost: localhost\r\n"
        whole = f"{head}Authorization: Bearer {server.key}\r\nContent-Length: 9\r\n\r\n"
        dawdlers = []
        for sent in ["", head, f"{head}X: ", whole] * 25:
            client = socket.create_connection((host, int(port)), timeout=60)
            stack.enter_context(contextlib.closing(client))
            client.sendall(sent.encode())
            dawdlers.append(client)
        with server.client() as honest:
            assert all(honest.get("/v1/at-risk").status_code == 200 for _ in range(50))
        answers = [read_all(client)[:13] for client in dawdlers]
        assert set(answers) == {b"HTTP/1.1 408 "}
        with server.client() as honest:
            assert honest.get("/v1/at-risk").status_code == 200
