"""F49: odd surroundings - few file handles, no home, locale C, strange time zones."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from harness import Server
from small_model import customers_of, make_bundle, make_shop, promote

from churnguard.jobs.keys import create_key

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


@pytest.fixture
def small_mount(tmp_path):
    """Mount a disk of 64 kB that is full, or one of which nothing can be changed."""
    mounted = []

    def mount(name, options):
        folder = tmp_path / name
        folder.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(words, capture_output=True, check=False).returncode:
            pytest.skip("mounting a tmpfs is not allowed here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.root
def test_it_serves_with_a_home_that_is_read_only_and_a_full_folder_for_temporary_files(
    make_server, small_mount
):
    """Neither is written to: a start, events, a promotion by the ledger and scores go on."""
    home, full = small_mount("home", "ro"), small_mount("tmp", "size=64k")
    with pytest.raises(OSError, match="No space left"), (full / "ballast").open("wb") as ballast:
        ballast.write(bytes(1_000_000))
    with pytest.raises(OSError, match="Read-only"):
        (home / "x").touch()
    environ = {"HOME": str(home), "TMPDIR": str(full)}
    shop = make_shop(full.with_name("shop"), customers=3)
    key = create_key(shop, "faults", ["scores:read", "events:write"])[1]
    with Server(shop.root, key, environ=environ) as server, server.client() as client:
        who = customers_of(shop)[0]
        event = {"event_id": "e1", "customer_id": who, "event": "signed_in"}
        event["occurred_at"] = "2026-11-01T10:00:00Z"
        assert client.post("/v1/events", json=event).status_code == 202
        promote(shop, make_bundle(shop, 1))
        end = time.monotonic() + 60
        while client.get(f"/v1/customers/{who}/score").status_code != 200:
            assert time.monotonic() < end, client.get(f"/v1/customers/{who}/score").text
            time.sleep(0.2)
        assert server.stop() == 0
        assert "Traceback" not in server.log


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
