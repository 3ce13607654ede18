"""What the SQL event store promises beyond its port."""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from churnguard.errors import SchemaError
from churnguard.jobs.ports import QuarantinedRow
from churnguard.store.database import open_database
from churnguard.store.digests import customer_key, event_key
from churnguard.store.events import SqlEventStore
from churnguard.testing import NOON, build_events


def open_store(folder):
    return SqlEventStore(open_database("sqlite:///shop.db", root=folder), folder / "events")


@pytest.fixture
def store(tmp_path):
    store = open_store(tmp_path)
    yield store
    store._engine.dispose()


def rejected(number):
    return QuarantinedRow(f"r{number}", "f.csv", number, "bad_time", "When?", "{}", "{}")


def test_digests_are_what_is_on_disk():
    """They are part of the format: other values would orphan every stored event."""
    assert event_key("e1").hex() == "afdd4403c41069df839dbe2249f98aee"
    assert customer_key("C1") == -206131004959257371


def test_a_table_that_does_not_fit_is_refused_and_nothing_is_stored(store):
    events = build_events([{}])
    with pytest.raises(SchemaError, match="lacks the column 'clock'"):
        store.append(events.drop_columns(["clock"]), rejected=[rejected(1)])
    without = events.set_column(1, "customer_id", [[None]])
    with pytest.raises(SchemaError, match="customer_id"):
        store.append(without, rejected=[rejected(1)])
    assert store.quarantine_counts() == {}


def test_nan_is_stored_as_unknown(store):
    store.append(build_events([{"value": float("nan")}]))
    assert store.events_of(["C1"])["value"].to_pylist() == [None]


def test_a_mended_row_leaves_the_quarantine_unless_it_conflicts(store):
    store.append(
        build_events([{"event_id": "a", "value": 1.0}]), rejected=[rejected(1), rejected(2)]
    )
    events = build_events([{"event_id": "a", "value": 2.0}, {"event_id": "b"}, {"event_id": "c"}])
    told = store.append(events, mends=["r1", "r2", None])
    assert (told.accepted, told.conflicts) == (2, 1)
    assert [row.row_id for row in store.quarantined()] == ["r1"]


def test_a_call_that_fails_stores_nothing(store, monkeypatch):
    monkeypatch.setattr("churnguard.store.quarantine.put", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.append(build_events([{}]), rejected=[rejected(1)])
    assert (store.history().num_rows, store.event_counts(), store.data_through()) == (0, {}, None)


def test_what_was_known_at_a_past_instant_is_told_apart(store):
    late = {"event_id": "b", "occurred_at": NOON - timedelta(days=2), "received_at": NOON}
    store.append(build_events([{"occurred_at": NOON - timedelta(days=9)}, late]))
    assert store.data_through() == NOON - timedelta(days=2)
    assert store.data_through(NOON - timedelta(days=1)) == NOON - timedelta(days=9)
    assert store.data_through(NOON + timedelta(days=1)) == NOON - timedelta(days=2)
    assert store.data_through(NOON - timedelta(days=10)) is None


def test_writers_in_many_threads_store_each_event_once(store):
    """The same batch from eight threads is accepted once, row by row."""
    events = build_events({"event_id": f"e{number}"} for number in range(200))
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: store.append(events), range(8)))
    assert sum(one.accepted for one in told) == 200
    assert sum(one.duplicates for one in told) == 1400
    assert store.event_counts() == {"order_completed": 200}


def _append_for_ever(folder, told):
    store = open_store(folder)
    for batch in range(10_000):
        rows = ({"event_id": f"{batch}-{row}"} for row in range(50))
        store.append(build_events(rows), rejected=[rejected(batch)])
        os.write(told, f"{batch}\n".encode())


def test_a_killed_writer_leaves_whole_batches_and_loses_none_that_it_told(tmp_path):
    """After kill -9 every acknowledged batch is there, and every batch is there whole."""
    open_store(tmp_path)._engine.dispose()
    ours, theirs = os.pipe()
    writer = multiprocessing.get_context("fork").Process(
        target=_append_for_ever, args=(tmp_path, theirs)
    )
    writer.start()
    os.close(theirs)
    time.sleep(0.4)
    writer.kill()
    writer.join()
    with os.fdopen(ours) as lines:
        acknowledged = len(lines.read().split())
    store = open_store(tmp_path)
    stored = store.history().num_rows
    assert acknowledged > 0
    assert stored % 50 == 0
    assert acknowledged <= stored // 50 <= acknowledged + 1
    assert store.quarantine_counts()["bad_time"] == stored // 50
    store._engine.dispose()
