"""What a server promises about its connections, seen at one that is open."""

from __future__ import annotations

import asyncio
import http.client
import logging
import socket
from urllib.parse import urlsplit

from anyio import to_thread

from churnguard.bootstrap import open_shop
from churnguard.project.template import create_project
from churnguard.serving.access_log import JsonLines, log_json_lines
from churnguard.serving.app import create_app
from churnguard.serving.server import Server
from churnguard.serving.threads import THREADS
from churnguard.testing import FakeChampion, FakeScorer, fake_shop


def test_an_answer_leaves_at_once(tmp_path):
    """Nagle's delay is off: with it, each answer on a kept connection waits 40 ms."""
    create_project(tmp_path / "shop")
    server = Server(open_shop(tmp_path / "shop", environ={}), host="127.0.0.1", port=0)
    with server.in_background() as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        connection.request("GET", "/livez")
        assert connection.getresponse().read()
        (protocol,) = server._server.server_state.connections
        theirs = protocol.transport.get_extra_info("socket")
        assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        connection.close()


def test_head_is_get_without_its_body(tmp_path):
    """Monitors of uptime ask HEAD; the connection goes on with the next answer."""
    create_project(tmp_path / "shop")
    server = Server(open_shop(tmp_path / "shop", environ={}), host="127.0.0.1", port=0)
    with server.in_background() as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        told = {}
        for method in ("HEAD", "GET"):
            connection.request(method, "/livez")
            with connection.getresponse() as answer:
                told[method] = answer.status, answer.headers["Content-Length"], answer.read()
        assert told["HEAD"] == (*told["GET"][:2], b"")
        connection.request("HEAD", "/v1/model")
        with connection.getresponse() as answer:
            assert (answer.status, answer.read()) == (401, b"")
        connection.close()


def test_the_servers_own_lines_are_json_as_all_others_are(tmp_path):
    """A broken request is told by uvicorn itself, which brings handlers of its own."""
    before = {name: logging.getLogger(name).handlers[:] for name in ("churnguard", "uvicorn")}
    log_json_lines()
    try:
        create_project(tmp_path / "shop")
        server = Server(open_shop(tmp_path / "shop", environ={}), host="127.0.0.1", port=0)
        with server.in_background() as url:
            place = urlsplit(url)
            with socket.create_connection((place.hostname, place.port), timeout=10) as client:
                client.sendall(b"BREW / HTTP/1.1\r\n\r\n")
                assert client.recv(100).startswith(b"HTTP/1.1 400 ")
        handlers = logging.getLogger("uvicorn").handlers
        assert [type(one.formatter) for one in handlers] == [JsonLines]
    finally:
        for name, handlers in before.items():
            logging.getLogger(name).handlers[:] = handlers
            logging.getLogger(name).propagate = True
        logging.getLogger("uvicorn.access").propagate = True


def test_few_threads_answer():
    """The loop that answers has as many threads as are worth their turns."""

    async def started():
        app = create_app(fake_shop(), FakeChampion(), scorer=FakeScorer())
        async with app.router.lifespan_context(app):
            return to_thread.current_default_thread_limiter().total_tokens

    assert asyncio.run(started()) == THREADS
