"""The Parquet history: derived, complete, readable by others, and safe against a crash."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import duckdb
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from churnguard.errors import StoreError
from churnguard.store import history as history_module
from churnguard.store import history_files
from churnguard.store.changes import LOG_EPOCH, raise_counter
from churnguard.store.database import open_database, writing
from churnguard.store.events import SqlEventStore
from churnguard.store.history_changes import note_changes
from churnguard.store.tables import event
from churnguard.testing import NOON, build_events


@pytest.fixture
def store(tmp_path):
    engine = open_database("sqlite:///shop.db", root=tmp_path)
    yield SqlEventStore(engine, tmp_path / "events")
    engine.dispose()


def some_events(first, last):
    """Return events of 40 customers over four months."""
    return build_events(
        {
            "event_id": f"e{number}",
            "customer_id": f"C{number % 40}",
            "occurred_at": NOON - timedelta(days=number % 120, seconds=number),
        }
        for number in range(first, last)
    )


def ids(table):
    return sorted(table["event_id"].to_pylist())


def expected(last):
    return sorted(f"e{number}" for number in range(last))


def files(tmp_path):
    return sorted((tmp_path / "events").glob("**/*.parquet"))


def customers(file):
    return pq.read_table(file, partitioning=None)["customer_id"].to_pylist()


def test_history_is_whole_before_between_and_after_exports(store):
    """Files and tail together are the log, wherever the watermark stands."""
    store.append(some_events(0, 300))
    assert ids(store.history()) == expected(300)
    assert store.export() == 300
    assert ids(store.history()) == expected(300)
    store.append(some_events(300, 350))
    assert ids(store.history()) == expected(350)
    assert (store.export(), store.export()) == (50, 0)
    assert ids(store.history()) == expected(350)


def test_partitions_keep_a_customer_together_and_sorted(store):
    store.append(some_events(0, 300))
    store.export()
    store.append(some_events(300, 400))
    seen: set[str] = set()
    rows = 0
    for part in store.partitions():
        names = part["customer_id"].to_pylist()
        assert not seen & set(names)
        keys = ("customer_id", "occurred_at", "event_id")
        order = [tuple(row[key] for key in keys) for row in part.to_pylist()]
        assert order == sorted(order)
        seen |= set(names)
        rows += part.num_rows
    assert (len(seen), rows) == (40, 400)


def test_events_come_back_as_they_went_in(store):
    """Every column, null or not, is the same through store and Parquet."""
    full = {
        "value": 12.3456, "quantity": 3, "order_id": "o", "cart_id": "k", "session_id": "s",
        "product_id": "p", "category": "c", "currency": "EUR", "kind": "nps", "discount": 0.1,
        "properties": '{"note":"ünï"}', "clock": "assumed",
    }  # fmt: skip
    events = build_events([{"event_id": "a"}, {"event_id": "b", **full}])
    store.append(events)
    before = store.history()
    store.export()
    for table in (before, store.history(), store.events_of(["C1"])):
        assert table.schema == events.schema
        assert table.sort_by("event_id").to_pylist() == events.to_pylist()


def test_other_tools_read_the_files_as_they_are(store, tmp_path):
    """Months are folders, buckets are files, each sorted; DuckDB needs nothing else."""
    store.append(some_events(0, 300))
    store.export()
    sql = f"SELECT count(*), count(DISTINCT received) FROM '{tmp_path}/events/*/*.parquet'"
    assert duckdb.sql(sql).fetchall() == [(300, 5)]
    names = pq.read_table(files(tmp_path)[0])["customer_id"].to_pylist()
    assert names == sorted(names)
    assert pq.ParquetFile(files(tmp_path)[0]).metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize("moment", ["_sync", "replace", "watermark"])
def test_a_crash_during_export_loses_and_doubles_nothing(store, tmp_path, monkeypatch, moment):
    """Killed while writing, while renaming, or before the watermark: all is as it was before."""
    store.append(some_events(0, 100))
    store.export()
    store.append(some_events(100, 200))
    crash = RuntimeError("killed")

    def die(*_args, **_kwargs):
        raise crash

    with monkeypatch.context() as patched:
        if moment == "_sync":
            patched.setattr(history_files, "_sync", die)
        elif moment == "replace":
            patched.setattr(history_files.Path, "replace", die)
        else:
            patched.setattr(history_module.sa, "insert", die)
        with pytest.raises(RuntimeError):
            store.export()
    assert ids(store.history()) == expected(200)
    store.append(some_events(200, 250))
    assert ids(store.history()) == expected(250)
    assert store.export() == 150
    assert ids(store.history()) == expected(250)
    in_files = [name for file in files(tmp_path) for name in ids(pq.read_table(file))]
    assert sorted(in_files) == expected(250)
    assert list((tmp_path / "events").glob("**/.*.tmp")) == []


def test_a_stranger_among_the_files_is_not_read_as_ours(store, tmp_path):
    store.append(some_events(0, 10))
    store.export()
    stranger = files(tmp_path)[0].with_name("mine.parquet")
    pq.write_table(some_events(500, 510), stranger)
    assert ids(store.history()) == expected(10)
    store.append(some_events(10, 20))
    store.export()
    assert stranger.is_file()


def small_exports(store, number):
    """Export so often, five events at a time."""
    for turn in range(number):
        store.append(some_events(turn * 5, turn * 5 + 5))
        store.export()


def stretches(tmp_path):
    return {history_files.named(file)[1] for file in files(tmp_path)}


def test_many_small_exports_become_one(store, tmp_path):
    """Ten small stretches are joined into one; the log stays the log."""
    small_exports(store, 9)
    assert len(stretches(tmp_path)) == 9
    store.append(some_events(45, 50))
    store.export()
    assert stretches(tmp_path) == {history_files.Stretch(1, 50)}
    assert ids(store.history()) == expected(50)
    small = [name for file in files(tmp_path) for name in ids(pq.read_table(file))]
    assert sorted(small) == expected(50)
    small_exports(store, 12)
    assert ids(store.history()) == expected(60)


def test_an_erased_customer_is_in_no_file(store, tmp_path):
    """Only the files with that customer are written anew, and others are told what is left."""
    store.append(some_events(0, 300))
    store.export()
    changed = store._history.rewrite({"C7": None, "nobody": None})
    assert changed == len([number for number in range(300) if number % 40 == 7])
    assert "C7" not in store.history()["customer_id"].to_pylist()
    assert all(
        "C7" not in pq.read_table(file)["customer_id"].to_pylist() for file in files(tmp_path)
    )
    assert {stretch.generation for stretch in stretches(tmp_path)} == {1}
    assert sum(part.num_rows for part in store.partitions()) == 300 - changed
    assert store._history.rewrite({"C7": None}) == 0


def test_a_merged_customer_moves_to_the_other_ones_files(store):
    """Under the new id, in the bucket of the new id, sorted; nothing else changes."""
    store.append(some_events(0, 300))
    store.export()
    before = store.history().sort_by("event_id").to_pylist()
    assert store._history.rewrite({"C7": "C8"}) == 8
    after = store.history().sort_by("event_id").to_pylist()
    renamed = [row | {"customer_id": row["customer_id"].replace("C7", "C8")} for row in before]
    assert after == renamed
    (part,) = [part for part in store.partitions() if "C8" in part["customer_id"].to_pylist()]
    assert part["customer_id"].to_pylist().count("C8") == 16


@pytest.mark.parametrize("moment", ["write_table", "replace", "insert", "unlink"])
def test_a_rewriting_that_is_killed_is_finished_by_the_next_reader(
    store, tmp_path, monkeypatch, moment
):
    """The change was noted with the log's own: whoever reads next sees it carried out."""
    store.append(some_events(0, 300))
    store.export()
    crash = RuntimeError("killed")

    def die(*_args, **_kwargs):
        raise crash

    with writing(store._engine) as connection:
        note_changes(connection, {"C7": None, "C9": "C10"})
    with monkeypatch.context() as patched:
        owner = {"write_table": pq, "insert": history_module.sa}.get(moment, history_files.Path)
        patched.setattr(owner, moment, die)
        with pytest.raises(RuntimeError):
            store.history()
    names = store.history()["customer_id"].to_pylist()
    assert names.count("C7") == names.count("C9") == 0
    assert names.count("C10") == 16
    assert len(names) == 292
    assert sum(pq.read_metadata(file).num_rows for file in files(tmp_path)) == 292


def test_a_history_with_a_file_missing_is_refused(store, tmp_path):
    """Half a log looks like people who stopped buying: nobody may learn from it."""
    store.append(some_events(0, 300))
    store.export()
    files(tmp_path)[3].unlink()
    with pytest.raises(StoreError, match="lacks events 1 to 300"):
        store.history()


def test_nobody_comes_back_with_a_file_that_was_missing_when_they_went(store, tmp_path):
    """What was noted stays noted until the files that have to follow are there."""
    store.append(some_events(0, 300))
    store.export()
    missing = next(file for file in files(tmp_path) if "C7" in customers(file))
    missing.rename(tmp_path / "away")
    with writing(store._engine) as connection:
        note_changes(connection, {"C7": None})
    for _ in range(2):
        with pytest.raises(StoreError, match="lacks events 1 to 300"):
            store.export()
    (tmp_path / "away").rename(missing)
    store.export()
    assert "C7" not in {name for file in files(tmp_path) for name in customers(file)}


def test_what_is_rewritten_while_it_is_exported_is_exported_as_it_is_now(store, monkeypatch):
    """An export reads outside the write lock: what an erasure took meanwhile must not return."""
    store.append(some_events(0, 100))
    publish = history_files.Draft.publish
    turns = []

    def slow(draft):
        publish(draft)
        if not turns:
            turns.append("erased")
            with writing(store._engine) as connection:
                connection.execute(sa.delete(event).where(event.c.customer_id == "C7"))
                raise_counter(connection, LOG_EPOCH)

    monkeypatch.setattr(history_files.Draft, "publish", slow)
    assert store.export() == 97
    assert "C7" not in store.history()["customer_id"].to_pylist()


def test_readers_and_writers_of_the_history_do_not_hurt_each_other(store):
    """While it is exported, joined and rewritten, each reading is whole."""
    stop = threading.Event()

    def read():
        while not stop.is_set():
            names = store.history()["event_id"].to_pylist()
            assert names == list(dict.fromkeys(names))
            assert len(names) % 5 == 0
            assert sum(part.num_rows for part in store.partitions()) % 5 == 0

    with ThreadPoolExecutor(2) as pool:
        reader = pool.submit(read)
        try:
            small_exports(store, 21)
        finally:
            stop.set()
        reader.result()
    assert ids(store.history()) == expected(105)
