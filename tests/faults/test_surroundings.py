"""F49: odd surroundings - few file handles, no home, locale C, strange time zones."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.chaos

ODD = {
    "no home": {"HOME": "/nonexistent"},
    "locale C": {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "a zone with odd minutes": {"TZ": "Pacific/Chatham"},
    "a zone that does not exist": {"TZ": "Mars/Olympus"},
}


@pytest.mark.parametrize("name", ODD)
def test_it_serves_all_the_same(make_server, name):
    server = make_server(scopes=["scores:read"], environ=ODD[name])
    server.start()
    with server.client() as client:
        assert client.get("/v1/at-risk").status_code == 200
    assert server.stop() == 0


def _serve(server, *, files, environ=None):
    """Run ``churnguard serve`` with so many file handles for a moment."""
    program = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}))\n"
        "from churnguard.cli import main\n"
        f"sys.argv = ['churnguard', 'serve', '--project', {str(server.root)!r}, '--port', '0']\n"
        "main()\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )


def test_too_few_file_handles_are_one_clear_line(make_server):
    done = _serve(make_server(), files=64)
    assert done.returncode == 1
    assert "may open only 64 files" in done.stderr
    assert "Traceback" not in done.stderr


def test_connections_beyond_the_handles_are_refused_and_the_rest_served(make_server):
    """With 160 handles about a hundred connections fit; the store keeps working beside them."""
    import contextlib
    import socket

    import httpx

    limit = ("prlimit", "--nofile=160:160")
    server = make_server(scopes=["scores:read"], under=limit)
    server.start()
    host, port = server.url.removeprefix("http://").split(":")
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            with contextlib.suppress(OSError):
                client = socket.create_connection((host, int(port)), timeout=5)
                stack.enter_context(contextlib.closing(client))
        with contextlib.suppress(httpx.TransportError):
            assert httpx.get(f"{server.url}/livez", timeout=5).status_code in (200, 503)
    with server.client() as client:
        assert client.get("/v1/at-risk").status_code == 200
    assert server.process.poll() is None


def test_a_secret_that_nobody_drew_is_one_clear_line(make_server):
    server = make_server()
    command = [sys.executable, "-m", "churnguard.cli", "serve", "--project", str(server.root)]
    import os

    environ = os.environ | {"CHURNGUARD_SESSION_KEY": "changeme"}
    done = subprocess.run(
        [*command, "--port", "0"],
        capture_output=True,
        text=True,
        env=environ,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "CHURNGUARD_SESSION_KEY is a placeholder" in done.stderr
    assert "Traceback" not in done.stderr
