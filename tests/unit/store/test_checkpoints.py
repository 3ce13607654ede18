"""SQLite's log of writes is moved beside the writers: it stays short, and nothing is lost."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest

from churnguard.errors import StoreUnavailable
from churnguard.store import checkpoints
from churnguard.store.checkpoints import Mover, empty_log
from churnguard.store.database import open_database
from churnguard.store.events import SqlEventStore
from churnguard.testing import build_events

ENOUGH = 200_000


@pytest.fixture
def engine(tmp_path, monkeypatch):
    engine = open_database("sqlite:///shop.db", root=tmp_path)
    monkeypatch.setattr(checkpoints, "_PAUSE_SECONDS", 0.0)
    mover = Mover(tmp_path / "shop.db", enough=ENOUGH)
    monkeypatch.setitem(checkpoints._MOVERS, engine, mover)
    yield engine
    _wait_for(lambda: "checkpoint" not in {thread.name for thread in threading.enumerate()})
    engine.dispose()


def _wait_for(true, seconds=20.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def _write(engine, tmp_path, turns, rows=100, name="e"):
    store = SqlEventStore(engine, tmp_path / "events")
    for turn in range(turns):
        events = [{"event_id": f"{name}{turn}-{place}"} for place in range(rows)]
        assert store.append(build_events(events)).accepted == rows
    return sum(store.event_counts().values())


def test_a_long_log_is_moved_and_every_event_is_there(engine, tmp_path):
    """Whatever is moved while others write, the file alone holds it in the end."""
    assert _write(engine, tmp_path, turns=40) == 4_000
    log = tmp_path / "shop.db-wal"
    _wait_for(
        lambda: log.stat().st_size < ENOUGH or _write(engine, tmp_path, 1, 1, f"{time.time()}")
    )
    engine.dispose()
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        assert connection.execute("SELECT count(*) FROM event").fetchone()[0] >= 4_000
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_short_log_is_left_to_grow(engine, tmp_path):
    """Moving little and often would write each page again and again."""
    _write(engine, tmp_path, turns=1, rows=5)
    assert "checkpoint" not in {thread.name for thread in threading.enumerate()}
    assert 0 < (tmp_path / "shop.db-wal").stat().st_size < ENOUGH


def test_writers_go_on_while_somebody_reads_what_was(engine, tmp_path):
    """A reader of an old moment keeps the log from being cut, not the others from writing."""
    _write(engine, tmp_path, turns=1)
    reader = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    reader.execute("BEGIN")
    before = reader.execute("SELECT count(*) FROM event").fetchone()
    assert _write(engine, tmp_path, turns=20, name="later") == 2_100
    assert reader.execute("SELECT count(*) FROM event").fetchone() == before
    reader.execute("COMMIT")
    reader.close()


def test_a_log_that_cannot_be_emptied_is_told(engine, tmp_path):
    """Erasure says that it is done only once no copy is left in the log of writes."""
    _write(engine, tmp_path, turns=1)
    reader = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM event").fetchone()
    _write(engine, tmp_path, turns=1, name="later")
    own = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    own.execute("PRAGMA busy_timeout=10")
    with pytest.raises(StoreUnavailable, match="could not be emptied"):
        empty_log(own.cursor(), seconds=0.1)
    reader.execute("COMMIT")
    empty_log(own.cursor())
    assert (tmp_path / "shop.db-wal").stat().st_size == 0
    own.close()
    reader.close()
