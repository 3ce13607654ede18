"""SQLite: the disk has it before anybody is told, and writers in many processes lose nothing."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from churnguard.errors import StoreError
from churnguard.store import connecting
from churnguard.store.database import open_database, reading
from churnguard.store.tables import event

WRITER = """
import sys
from pathlib import Path
from churnguard.store.database import open_database
from churnguard.store.events import SqlEventStore
from churnguard.testing import build_events
name, root, turns = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
store = SqlEventStore(open_database("sqlite:///shop.db", root=root), root / "events")
for turn in range(turns):
    rows = [{"event_id": f"{name}-{turn}-{place}", "customer_id": name} for place in range(5)]
    told = store.append(build_events(rows))
    assert told.accepted == 5
    if turn % 300 == 9 and name == "A":
        store.export()
    print(*(row["event_id"] for row in rows), flush=True)
"""


def _ids(root: Path) -> list[str]:
    engine = open_database("sqlite:///shop.db", root=root)
    with reading(engine) as connection:
        found = list(connection.execute(sa.select(event.c.event_id)).scalars())
    engine.dispose()
    return found


@pytest.mark.parametrize("turns", [10, pytest.param(1500, marks=pytest.mark.chaos)])
def test_four_processes_that_write_at_once_lose_nothing(tmp_path, turns):
    """F10: each waits its turn for a bounded time, and none fails; they even export meanwhile."""
    open_database("sqlite:///shop.db", root=tmp_path).dispose()
    command = [sys.executable, "-W", "ignore", "-c", WRITER]
    with contextlib.ExitStack() as stack:
        writers = []
        for name in "ABCD":
            out = stack.enter_context((tmp_path / f"{name}.out").open("w"))
            err = stack.enter_context((tmp_path / f"{name}.err").open("w"))
            words = [*command, name, str(tmp_path), str(turns)]
            writers.append(subprocess.Popen(words, stdout=out, stderr=err))
        codes = [writer.wait(timeout=280) for writer in writers]
    assert codes == [0, 0, 0, 0], [(tmp_path / f"{name}.err").read_text() for name in "ABCD"]
    told = [one for name in "ABCD" for one in (tmp_path / f"{name}.out").read_text().split()]
    stored = _ids(tmp_path)
    assert len(told) == 4 * 5 * turns
    assert sorted(stored) == sorted(told)


def test_a_writer_that_never_ends_costs_the_next_one_a_bounded_wait(tmp_path, monkeypatch):
    """F10: after the busy time-out the call is refused, and nothing of it is stored."""
    monkeypatch.setattr(
        connecting,
        "_PRAGMAS",
        [pragma.replace("10000", "200") for pragma in connecting._PRAGMAS],
    )
    engine = open_database("sqlite:///shop.db", root=tmp_path)
    other = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    from churnguard.store.events import SqlEventStore
    from churnguard.testing import build_events

    store = SqlEventStore(engine, tmp_path / "events")
    with pytest.raises(StoreError, match="locked"):
        store.append(build_events())
    other.execute("ROLLBACK")
    other.close()
    assert store.append(build_events()).accepted == 1
    engine.dispose()


def test_a_sqlite_that_does_not_wait_for_the_disk_is_refused(tmp_path, monkeypatch):
    """F3: asked at the start, whatever the address or the library made of it."""
    pragmas = [pragma.replace("FULL", "NORMAL") for pragma in connecting._PRAGMAS]
    monkeypatch.setattr(connecting, "_PRAGMAS", pragmas)
    with pytest.raises(StoreError, match="wait for the disk"):
        open_database("sqlite:///shop.db", root=tmp_path)


def _can_trace() -> bool:
    strace = shutil.which("strace")
    if strace is None:
        return False
    tried = subprocess.run([strace, "-o", "/dev/null", "true"], check=False, capture_output=True)
    return tried.returncode == 0


@pytest.mark.chaos
@pytest.mark.skipif(not _can_trace(), reason="strace is missing, or may not trace here")
def test_the_disk_is_told_to_keep_it_before_the_caller_is_told_so(make_server, tmp_path):
    """F3: between the request and its 202 stands a sync of the write-ahead log."""
    trace = tmp_path / "trace"
    calls = "trace=fsync,fdatasync,sendto,sendmsg,write,writev,recvfrom,read"
    under = ("strace", "-f", "-y", "-e", calls, "-s", "200", "-o", str(trace))
    server = make_server(under=under).start()
    one = {"event_id": "e1", "customer_id": "C1", "event": "signed_in", "occurred_at": "2026-01-01"}
    with server.client(timeout=120) as client:
        assert client.get("/v1/at-risk").status_code == 200
        answer = client.post("/v1/events", json={"events": [one]})
        assert answer.status_code == 202, answer.text
    server.kill()
    lines = trace.read_text(errors="replace").splitlines()
    asked = next(place for place, line in enumerate(lines) if "POST /v1/events" in line)
    told = next(place for place, line in enumerate(lines) if "HTTP/1.1 202" in line)
    between = lines[asked:told]
    assert any(_ends_a_sync(between, place) for place in range(len(between))), "\n".join(between)


def _ends_a_sync(lines: list[str], place: int) -> bool:
    """Tell whether a line of strace ends a sync of the write-ahead log that began in them too."""
    line = lines[place]
    if re.search(r"f(data)?sync\(\d+<[^>]*\.db-wal>\) += 0$", line):
        return True
    if not re.search(r"<\.\.\. f(data)?sync resumed>.*= 0$", line):
        return False
    thread = line.split()[0]
    begun = [one for one in lines[:place] if one.split()[0] == thread and "unfinished" in one]
    return bool(begun) and ".db-wal>" in begun[-1]
