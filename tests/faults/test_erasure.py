"""Erasure holds: nothing of a person is left anywhere, and nothing brings the person back."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

import churnguard
from churnguard.jobs.deliver import deliver_due
from churnguard.jobs.erase import erase, finish_erasures
from churnguard.jobs.ingest import ingest
from churnguard.jobs.ports import Endpoint, EventBatch, Link
from churnguard.jobs.privacy import object_to_profiling
from churnguard.store.database import open_database, reading, upgrade_database
from churnguard.store.records import QuarantinedRow
from churnguard.testing import NOON, FakeCourier, build_events, build_run, build_score

CANARY = "canary-7f3a9c"
"""An id that stands nowhere by chance."""


@pytest.fixture
def shop(tmp_path):
    churnguard.create_project(tmp_path / "shop")
    return churnguard.open_shop(tmp_path / "shop")


def fill(shop):
    """Put the canary wherever a person can be, beside another customer."""
    rows = [{"customer_id": name} for name in (CANARY, "C2", CANARY)]
    shop.events.append(build_events(rows))
    shop.events.append(build_events([{"customer_id": CANARY, "value": 51.0}]))  # a conflict
    payload = f'{{"user":"{CANARY}"}}'
    row = QuarantinedRow("r1", "o.csv", 1, "bad_time", "No time.", payload, "{}")
    shop.events.quarantine([row])
    shop.events.take([EventBatch(links=[Link("guest-7f3a9c", CANARY)])])
    book = shop.root / "book.csv"
    book.write_text(f"customer_id,locale\n{CANARY},he\nC2,en\n")
    ingest(shop, [book], kind="customers")
    book.unlink()
    shop.scores.save_run(build_run(customers=2), [build_score(CANARY), build_score("C2")])
    shop.scores.record_outcome(f"d-{CANARY}", "contacted", at=NOON, actor="dana", note=CANARY)
    object_to_profiling(shop, CANARY, actor="cli:dana")
    shop.events.export()
    shadow = shop.root / "data" / "shadow"
    shadow.mkdir()
    table = shop.events.history().select(["customer_id"])
    pq.write_table(table, shadow / "2026-11-21.parquet")
    night = shop.root / "data" / "nights" / "job"
    night.mkdir(parents=True)
    (night / "score-00.jsonl").write_text(f'{{"customer_id":"{CANARY}"}}\n{{"customer_id":"C2"}}\n')


def traces(root: Path) -> list[str]:
    """Return every file below a folder that holds the canary, packed or not."""
    found = []
    for file in sorted(root.rglob("*")):
        if not file.is_file():
            continue
        data = file.read_bytes()
        if file.suffix == ".parquet":
            data = str(pq.read_table(file, partitioning=None).to_pydict()).encode()
        if b"7f3a9c" in data:
            found.append(file.relative_to(root).as_posix())
    return found


def test_after_the_receipt_no_store_holds_the_person(shop):
    """F43: tables and their free pages, the log of writes, history, files; others are untouched."""
    fill(shop)
    shop.privacy.scrub()  # from the log of writes into the pages of the database
    assert "data/churnguard.db" in traces(shop.root)
    receipt = erase(shop, CANARY, actor="cli:dana")
    assert shop.privacy.proven(receipt)
    assert traces(shop.root) == []
    removed = {store["name"]: store["removed"] for store in receipt.body["stores"]}
    assert removed["event"] == removed["files: history"] == 2
    assert removed["files: shadow scores"] == 2
    assert removed["files: unfinished night"] == removed["quarantine"] == removed["outcome"] == 1
    assert shop.events.history()["customer_id"].to_pylist() == ["C2"]
    assert shop.scores.stored_score("C2") is not None
    assert shop.audit.verify().broken == ""


@pytest.mark.postgres
def test_after_the_receipt_no_table_in_postgres_holds_the_person(tmp_path, postgres_url):
    """F43: the same in PostgreSQL, whose log and backups are named in the receipt."""
    upgrade_database(postgres_url)
    churnguard.create_project(tmp_path / "shop")
    shop = churnguard.open_shop(tmp_path / "shop", environ={"CHURNGUARD_STORE": postgres_url})
    fill(shop)
    assert {"event", "customer", "quarantine", "outcome"} <= traced_tables(postgres_url)
    receipt = erase(shop, CANARY, actor="cli:dana")
    assert shop.privacy.proven(receipt)
    assert traced_tables(postgres_url) == set()
    assert traces(shop.root) == []
    assert shop.events.history()["customer_id"].to_pylist() == ["C2"]


def traced_tables(url: str) -> set[str]:
    """Return the tables that hold the canary, as text or as bytes."""
    engine = open_database(url)
    with reading(engine) as connection:
        found = {
            name
            for name in sa.inspect(connection).get_table_names()
            if b"7f3a9c" in _content(connection.exec_driver_sql(f"SELECT * FROM {name}"))
        }
    engine.dispose()
    return found


def _content(rows: Iterable[Iterable[object]]) -> bytes:
    values = (value for row in rows for value in row)
    return b"\n".join(v if isinstance(v, bytes) else str(v).encode() for v in values)


def test_erasing_twice_gives_the_same_receipt(shop):
    fill(shop)
    first = erase(shop, CANARY, actor="cli:dana")
    assert erase(shop, CANARY, actor="cli:dana") == first


def test_events_that_arrive_meanwhile_do_not_bring_the_person_back(shop):
    """F43: senders go on while the person is erased; what came is dropped and counted."""
    fill(shop)
    stop, sent = threading.Event(), [0]

    def send() -> None:
        own = churnguard.open_shop(shop.root)
        while not stop.is_set():
            sent[0] += 1
            event_id = f"late-{sent[0]}"
            own.events.append(build_events([{"customer_id": CANARY, "event_id": event_id}]))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        erase(shop, CANARY, actor="cli:dana")
    finally:
        stop.set()
        sender.join()
    shop.events.append(build_events([{"customer_id": CANARY, "event_id": "last"}]))
    shop.events.export()
    assert not shop.events.has_customer(CANARY)
    with sqlite3.connect(shop.root / "data" / "churnguard.db") as store:
        ((late,),) = store.execute("SELECT max(late_events) FROM tombstone")
    assert late >= 1


def test_a_bad_row_of_an_erased_person_is_not_kept_either(shop):
    """What would go into quarantine names the person as well."""
    fill(shop)
    erase(shop, CANARY, actor="cli:dana")
    row = QuarantinedRow("r2", "o.csv", 2, "bad_time", "No time.", f'{{"user":"{CANARY}"}}', "{}")
    shop.events.append(build_events([]), rejected=[row])
    assert shop.events.quarantine([row]) == 0
    assert traces(shop.root) == []


def test_scores_that_were_being_made_are_not_kept(shop):
    """F43: a batch that began before the erasure stores nothing of the person after it."""
    fill(shop)
    erase(shop, CANARY, actor="cli:dana")
    later = NOON + timedelta(days=1)
    run = build_run("run-2", as_of=later, created_at=later, customers=2)
    shop.scores.save_run(run, [build_score(CANARY), build_score("C2")])
    shop.scores.save_decisions([build_score(CANARY)])
    assert traces(shop.root) == []


def test_a_copy_from_before_the_erasure_forgets_the_person_before_it_serves(shop, tmp_path):
    """F44: the tombstones stand beside the store, and are read before anything is answered."""
    fill(shop)
    old = tmp_path / "old.db"
    source = sqlite3.connect(shop.root / "data" / "churnguard.db")
    with sqlite3.connect(old) as target:
        source.backup(target)
    source.close()
    events = tmp_path / "events"
    shutil.copytree(shop.root / "data" / "events", events)
    erase(shop, CANARY, actor="cli:dana")
    for file in (shop.root / "data").glob("churnguard.db*"):
        file.unlink()
    shutil.copy(old, shop.root / "data" / "churnguard.db")
    shutil.rmtree(shop.root / "data" / "events")
    shutil.copytree(events, shop.root / "data" / "events")
    restored = churnguard.open_shop(shop.root)
    assert restored.events.has_customer(CANARY)
    assert finish_erasures(restored) == 1
    assert not restored.events.has_customer(CANARY)
    assert traces(shop.root) == []
    assert finish_erasures(restored) == 0


def test_an_erasure_that_was_killed_half_way_is_finished(shop):
    """The tables are one transaction; history and signature follow at the next look."""
    fill(shop)
    shop.privacy.erase(CANARY, receipt_id="er_half", at=NOON)
    assert shop.privacy.receipt("er_half").state == "running"
    assert finish_erasures(shop) == 1
    assert shop.privacy.proven(shop.privacy.receipt("er_half"))
    assert shop.events.history()["customer_id"].to_pylist() == ["C2"]


def test_receivers_are_told_and_then_forget_as_well(shop):
    """`subject.erased` names the person until every endpoint has it."""
    fill(shop)
    made: Endpoint = shop.outbox.add_endpoint("https://crm.example", ["subject.erased"], now=NOON)
    erase(shop, CANARY, actor="cli:dana")
    (waiting,) = shop.outbox.deliveries(made.endpoint_id)
    assert CANARY in waiting.message.body
    assert deliver_due(replace(shop, courier=FakeCourier())) == {"delivered": 1}
    (told,) = shop.outbox.deliveries(made.endpoint_id)
    assert CANARY not in told.message.body
    assert traces(shop.root) == [], "neither in the log of writes, nor in pages it has yet to reach"
