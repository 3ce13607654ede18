"""What every event store promises of batches and merged ids: the fake, SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from churnguard.clock import to_us
from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.jobs.ports import KNOWN, LINKED, REFUSED, EventBatch, Link, QuarantinedRow
from churnguard.store.database import open_database, upgrade_database
from churnguard.store.events import SqlEventStore
from churnguard.testing import NOON, FakeEventStore

AT = to_us(NOON)
NEW, AGAIN, CONFLICT = 0, 1, 2


@pytest.fixture(params=["fake", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request, tmp_path):
    """An empty store."""
    if request.param == "fake":
        yield FakeEventStore()
        return
    url = "sqlite:///shop.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
        upgrade_database(url)
    engine = open_database(url, root=tmp_path)
    yield SqlEventStore(engine, tmp_path / "events")
    engine.dispose()


def row(event_id: str, customer: str = "C1", value: float | None = None) -> tuple[Any, ...]:
    return (event_id, customer, "signed_in", AT, AT, "true", value, *[None] * 10)


def rejected(row_id: str) -> QuarantinedRow:
    return QuarantinedRow(row_id, "api", 0, "bad_time", "No time.", '{"a":1}', '{"kind":"events"}')


def take(store, *batches: EventBatch) -> list[tuple[Any, ...]]:
    told = store.take(batches)
    return [(list(one.outcomes), list(one.links), one.stored) for one in told]


def ids(store) -> dict[str, str]:
    rows = store.history().to_pylist()
    return {each["event_id"]: each["customer_id"] for each in rows}


def test_each_batch_becomes_what_it_would_alone(store):
    """One conflict of an order does not touch the lines that another request brings."""
    told = take(
        store,
        EventBatch([row("o", value=1.0), row("a")]),
        EventBatch([row("o", value=2.0), row("o#1")]),
        EventBatch([row("o#2"), row("a")], [rejected("r1")]),
        EventBatch(),
    )
    assert [one[0] for one in told] == [[NEW, NEW], [CONFLICT, CONFLICT], [NEW, AGAIN], []]
    assert set(ids(store)) == {"o", "a", "o#2"}
    assert dict(store.event_counts()) == {"signed_in": 3}
    assert len(store.conflicts()) == 2
    assert dict(store.quarantine_counts()) == {"bad_time": 1}


def test_a_batch_that_has_to_be_whole_leaves_nothing_else(store):
    take(store, EventBatch([row("a", value=1.0)]))
    told = take(
        store,
        EventBatch([row("b")]),
        EventBatch([row("c"), row("a", value=2.0)], whole=True),
        EventBatch([row("d"), row("a", value=1.0)], whole=True),
    )
    assert [one[2] for one in told] == [True, False, True]
    assert told[1][0] == [NEW, CONFLICT]
    assert set(ids(store)) == {"a", "b", "d"}
    assert not store.conflicts()


def test_quarantined_rows_are_found_by_place_and_name(store):
    take(store, EventBatch(rejected=[rejected(f"r{number}") for number in range(5)]))
    first = store.quarantined(limit=2)
    rest = store.quarantined(after=first[-1].place)
    assert [each.row_id for each in first + rest] == ["r0", "r1", "r2", "r3", "r4"]
    assert [each.row_id for each in store.quarantined(row_ids=["r3", "x"])] == ["r3"]
    take(store, EventBatch([row("a")], mends=["r3"]))
    assert not store.quarantined(row_ids=["r3"])


def test_a_merge_moves_what_is_there_and_what_comes_later(store):
    """Also what stands in the Parquet history; the same event under the alias is a duplicate."""
    take(store, EventBatch([row("a", "guest"), row("b", "C1")]))
    store.export()
    take(store, EventBatch([row("c", "guest"), row("a", "guest", 9.0)]))
    told = take(store, EventBatch([row("d", "guest")], links=[Link("guest", "C1")], at=AT))
    assert told == [([NEW], [LINKED], True)]
    assert take(store, EventBatch([row("a", "guest"), row("a", "C1")])) == [([AGAIN] * 2, [], True)]
    assert ids(store) == dict.fromkeys("abcd", "C1")
    assert store.events_of(["C1"]).num_rows == 4
    assert store.events_of(["guest"]).num_rows == 0
    assert not store.has_customer("guest")
    assert store.conflicts()[0]["offered"]["customer_id"] == "C1"
    parts = [part["customer_id"].to_pylist() for part in store.partitions() if part.num_rows]
    assert parts == [["C1"] * 4]


def test_an_alias_names_its_owner_and_nobody_else_has_one(store):
    assert dict(store.owners(["a", "b"])) == {}
    take(store, EventBatch(links=[Link("a", "b"), Link("b", "c")], at=AT))
    assert dict(store.owners(["a", "b", "c", "d", "a"])) == {"a": "c", "b": "c"}
    assert dict(store.owners([])) == {}


def test_what_a_customer_file_says_of_an_alias_holds_for_its_owner(store):
    """Objected to as a guest is objected to; whatever the order of the rows, and once."""
    take(store, EventBatch(links=[Link("guest", "C1")], at=AT))
    said = [
        {"customer_id": "guest", "opt_out_profiling": True, "consent_email": False},
        {"customer_id": "C1", "opt_out_profiling": False, "consent_email": True},
    ]
    table = CUSTOMER_SCHEMA.empty_table().from_pylist(said, schema=CUSTOMER_SCHEMA)
    assert store.put_customers(table).accepted == 2
    (book,) = store.customers().to_pylist()
    told = [book[name] for name in ("customer_id", "opt_out_profiling", "consent_email")]
    assert told == ["C1", True, True]
    assert store.customers(["guest"]).num_rows == 0
    assert store.put_customers(table.slice(0, 1)).duplicates == 1


def test_links_follow_each_other_and_are_never_undone(store):
    """Of a to b and b to c follows a to c; an alias keeps whom it was linked with first."""
    take(store, EventBatch([row("1", "a"), row("2", "b"), row("3", "c")]))
    links = [Link("a", "b"), Link("b", "c"), Link("a", "c"), Link("a", "d"), Link("c", "a")]
    told = take(store, EventBatch(links=links, at=AT))
    assert told[0][1] == [LINKED, LINKED, KNOWN, REFUSED, KNOWN]
    assert ids(store) == dict.fromkeys("123", "c")
    assert take(store, EventBatch(links=[Link("x", "x")], at=AT))[0][1] == [REFUSED]
