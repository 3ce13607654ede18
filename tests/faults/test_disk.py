"""The disk is full, or fails to sync: the service says so, keeps what it said, and reads on."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from harness import Server, make_project, stored_ids
from small_model import customers_of, make_bundle, make_shop, promote

from churnguard.bootstrap import back_up_project, restore_project
from churnguard.jobs.keys import create_key

SCOPES = ("events:write", "scores:read")


def batch(number: int, rows: int = 200) -> list[dict[str, Any]]:
    return [
        {"event_id": f"e{number}-{place}", "customer_id": f"C{place}", "event": "signed_in",
         "occurred_at": "2026-01-01T10:00:00Z", "properties": {"text": "x" * 200}}
        for place in range(rows)
    ]  # fmt: skip


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """The folder of a project whose data lie on a disk of 6 MB."""
    data = tmp_path / "shop" / "data"
    data.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(data)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    yield tmp_path / "shop"
    subprocess.run(["umount", "--lazy", str(data)], check=True)


@pytest.mark.root
def test_a_full_disk_is_told_and_recovers(small_disk, history):
    """F4: 507 with the reason, no part of a batch, reads and scores go on; with room again all."""
    shop = make_shop(small_disk, customers=3)
    promote(shop, make_bundle(shop, 1))
    customers, before = customers_of(shop), stored_ids(small_disk)
    history.sending(before)
    key = create_key(shop, "faults", SCOPES)[1]
    ballast = small_disk / "data" / "ballast"
    ballast.write_bytes(b"x" * 2_000_000)
    with Server(small_disk, key) as server, server.client() as client:
        statuses = [_send(client, number, history) for number in range(40)]
        assert set(statuses) == {202, 507}
        full = client.post("/v1/events", json=batch(99))
        assert full.headers["content-type"] == "application/problem+json"
        assert "full" in full.json()["detail"]
        assert full.headers["retry-after"]
        assert client.get("/livez").status_code == 200
        for customer in customers:
            score = client.get(f"/v1/customers/{customer}/score")
            assert score.status_code == 200, score.text
            assert score.json()["model"]["version"] == "1"
        assert client.get("/v1/quarantine").status_code == 200
        ballast.unlink()
        assert _send(client, 100, history) == 202
        server.kill()
        ids = stored_ids(small_disk)
        history.check(ids)
        assert len(ids) == len(before) + len(history.acknowledged)
    with sqlite3.connect(small_disk / "data" / "churnguard.db") as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _send(client, number, history):
    rows = batch(number)
    ids = [row["event_id"] for row in rows]
    history.sending(ids)
    status = client.post("/v1/events", content=orjson.dumps(rows)).status_code
    if status == 202:
        history.told(ids)
    return status


@pytest.mark.chaos
@pytest.mark.root
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_after_a_failed_sync_nothing_is_written_until_a_restart(make_server, history):
    """F5: EIO from the disk; the sync is not tried again as if nothing had been, reads go on."""
    with make_server(scopes=SCOPES) as server, server.client() as client:
        assert _send(client, 1, history) == 202
        with _broken_syncs(server):
            assert _send(client, 2, history) == 503
        again = client.post("/v1/events", json=batch(3, 1))
        assert again.status_code == 503
        assert client.get("/v1/quarantine").status_code == 200
        assert client.get("/livez").status_code == 200
    with server, server.client() as client:
        assert _send(client, 2, history) == 202
        assert _send(client, 3, history) == 202
    history.check(stored_ids(server.root))


class _broken_syncs:  # noqa: N801 - read as words
    """Let every sync of a server fail for as long as the block runs."""

    def __init__(self, server: Server) -> None:
        assert server.process is not None
        self._pid = server.process.pid
        self._log = server.root / ".process" / "strace"

    def __enter__(self) -> None:
        calls = "fsync,fdatasync"
        command = ["strace", "-f", "-o", str(self._log), "-p", str(self._pid)]
        command += ["-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO"]
        self._tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        for _ in range(100):
            time.sleep(0.05)
            if self._tracer.poll() is not None:
                pytest.skip("tracing a process is not allowed here")
            if _is_traced(self._pid):
                return

    def __exit__(self, *error: object) -> None:
        self._tracer.terminate()
        self._tracer.wait()


def _is_traced(pid: int) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return any(line.startswith("TracerPid:") and line.split()[1] != "0" for line in lines)


def test_a_store_replaced_under_a_running_server_takes_no_event(tmp_path):
    """A restore without a stop: nothing is acknowledged into a file that is gone, or read from it.

    The server says so, and after a start it serves what was restored.
    """
    root, copy = tmp_path / "shop", tmp_path / "copy"
    key = make_project(root, scopes=SCOPES)
    with Server(root, key) as server, server.client() as client:
        assert client.post("/v1/events", json=batch(1, rows=3)).status_code == 202
        back_up_project(root, copy, with_secrets=True, environ={})
        assert client.post("/v1/events", json=batch(2, rows=3)).status_code == 202
        root.rename(tmp_path / "away")
        gone = client.post("/v1/events", json=batch(3, rows=3))
        assert gone.status_code == 503
        restore_project(copy, root, environ={})
        refused = client.post("/v1/events", json=batch(4, rows=3))
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
        assert client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200
        log = tmp_path / "away" / ".process" / "1.err"
        assert _until(lambda: "taken away or replaced" in log.read_text())
        server.kill()
        server.start()
        with server.client() as again:
            assert again.post("/v1/events", json=batch(5, rows=3)).status_code == 202
        server.kill()
    assert sorted(stored_ids(root)) == sorted(
        f"e{number}-{place}" for number in (1, 5) for place in range(3)
    )


def _until(holds, seconds=15):
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.2)
    return holds()
