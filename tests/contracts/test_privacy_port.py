"""What every privacy store promises: the fake, SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest

from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.jobs.ports import (
    GONE,
    AtRiskQuery,
    EventBatch,
    Link,
    QuarantinedRow,
    Restriction,
)
from churnguard.store.event_rows import to_values
from churnguard.testing import (
    NOON,
    FakeEventStore,
    FakePrivacyStore,
    FakeScoreStore,
    build_events,
    build_run,
    build_score,
)

LATER = NOON + timedelta(days=1)
OBJECTED = Restriction(objected_at=NOON, source="api")


def service_key():
    return b"k" * 32


@pytest.fixture(params=["fake", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def listing(request, tmp_path):
    """Make an event store, and the privacy store and the scores beside it."""
    if request.param == "fake":
        events = FakeEventStore()
        yield events, FakePrivacyStore(events), FakeScoreStore(events)
        return
    from churnguard.store.database import open_database, upgrade_database
    from churnguard.store.events import SqlEventStore
    from churnguard.store.privacy import SqlPrivacyStore
    from churnguard.store.scores import SqlScoreStore
    from churnguard.store.tombstones import Tombstones

    url = "sqlite:///shop.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
        upgrade_database(url)
    engine = open_database(url, root=tmp_path)
    stones = Tombstones(service_key)
    events = SqlEventStore(engine, tmp_path / "events", tombstones=stones)
    yield events, SqlPrivacyStore(engine, stones, service_key), SqlScoreStore(engine)
    engine.dispose()


@pytest.fixture
def stores(listing):
    """Return an event store and the privacy store beside it."""
    return listing[:2]


def book_row(**changes):
    row = dict.fromkeys(CUSTOMER_SCHEMA.names) | {"customer_id": "C1"} | changes
    return pa.Table.from_pylist([row], schema=CUSTOMER_SCHEMA)


def test_an_objection_is_in_the_customer_book_at_once(stores):
    events, privacy = stores
    events.put_customers(book_row(consent_email=True))
    assert privacy.restrict(["C1", "C2"], OBJECTED) == 2
    rows = {row["customer_id"]: row for row in events.customers().to_pylist()}
    assert [rows[name]["opt_out_profiling"] for name in ("C1", "C2")] == [True, True]
    assert rows["C1"]["consent_email"]
    assert events.customers(["C2"]).num_rows == 1


def test_who_is_left_alone_is_on_no_list(listing):
    """Objection, restriction and staff, whether the service or the shop's own book says so."""
    events, privacy, scores = listing
    scores.save_run(build_run(), [build_score(name) for name in ("C1", "C2", "C3", "C4")])
    events.put_customers(book_row(exclude=True))
    privacy.restrict(["C2"], OBJECTED)
    privacy.restrict(["C3"], Restriction(restricted_at=NOON, source="cli"))
    found, total = scores.at_risk(AtRiskQuery())
    assert ([score.customer_id for score in found], total) == (["C4"], 1)
    privacy.restrict(["C2"], Restriction())
    assert scores.at_risk(AtRiskQuery())[1] == 2


def test_a_restriction_says_so_and_is_lifted(stores):
    events, privacy = stores
    privacy.restrict(["C1"], Restriction(restricted_at=NOON, source="cli"))
    assert events.customers(["C1"])["restricted"].to_pylist() == [True]
    assert privacy.restrict(["C1"], Restriction()) == 1
    assert events.customers(["C1"]).num_rows == 0
    assert dict(privacy.restrictions()) == {}


def test_the_first_date_of_an_objection_stands(stores):
    _, privacy = stores
    privacy.restrict(["C1"], OBJECTED)
    assert privacy.restrict(["C1"], replace(OBJECTED, objected_at=LATER)) == 0
    both = Restriction(objected_at=LATER, restricted_at=LATER, source="cli")
    assert privacy.restrict(["C1"], both) == 1
    assert dict(privacy.restrictions(["C1", "C9"])) == {"C1": replace(both, objected_at=NOON)}


def test_what_the_shop_s_own_book_says_is_not_undone_by_lifting(stores):
    """Only the shop takes back what the shop said."""
    events, privacy = stores
    events.put_customers(book_row(opt_out_profiling=True))
    privacy.restrict(["C1"], OBJECTED)
    privacy.restrict(["C1"], Restriction())
    assert events.customers(["C1"])["opt_out_profiling"].to_pylist() == [True]


def test_erasing_removes_a_person_and_keeps_others(stores):
    events, privacy = stores
    events.append(build_events([{"customer_id": name} for name in ("C1", "C2", "C1")]))
    events.put_customers(book_row())
    counts = privacy.erase("C1", receipt_id="r1", at=NOON)
    assert (counts["event"], counts["customer"]) == (2, 1)
    assert events.history()["customer_id"].to_pylist() == ["C2"]
    assert dict(events.event_counts()) == {"order_completed": 1}
    assert not events.has_customer("C1")
    assert privacy.erased(["C1", "C2"]) == {"C1"}


def test_what_comes_later_does_not_bring_the_person_back(stores):
    """Events, a row of the book and a link: each is answered, none is kept."""
    events, privacy = stores
    events.append(build_events())
    privacy.erase("C1", receipt_id="r1", at=NOON)
    late = build_events([{"event_id": "late"}, {"event_id": "e9", "customer_id": "C2"}])
    told = events.append(late)
    assert (told.accepted, told.erased, told.outcomes.tolist()) == (1, 1, [3, 0])
    assert events.put_customers(book_row()).erased == 1
    (taken,) = events.take([EventBatch(rows=to_values(late), links=[Link("guest", "C1")])])
    assert (list(taken.outcomes), list(taken.links)) == ([3, 1], [GONE])
    assert not events.has_customer("C1")
    assert privacy.restrict(["C1"], OBJECTED) == 0


def test_an_alias_is_erased_with_its_person(stores):
    events, privacy = stores
    events.take([EventBatch(links=[Link("guest", "C1")])])
    events.append(build_events([{"customer_id": "guest"}]))
    privacy.erase("C1", receipt_id="r1", at=NOON)
    assert events.append(build_events([{"customer_id": "guest"}])).erased == 1


def test_a_receipt_is_proof_once_it_is_done(stores):
    events, privacy = stores
    events.append(build_events())
    privacy.erase("C1", receipt_id="r1", at=NOON)
    running = privacy.receipt("r1")
    assert (running.state, privacy.proven(running)) == ("running", False)
    done = privacy.finish("r1", {"stores": [{"name": "event", "removed": 1}]})
    assert (done.state, done.at, privacy.proven(done)) == ("done", NOON, True)
    assert privacy.receipt_of("C1") == done == privacy.receipts()[0]
    assert not privacy.proven(replace(done, body={"stores": []}))
    assert privacy.receipt_of("C2") is None
    assert privacy.receipt("r2") is None


def test_everything_stored_of_a_person_is_told(stores):
    events, privacy = stores
    events.append(build_events([{"customer_id": "C1"}, {"customer_id": "C2"}]))
    events.put_customers(book_row(locale="he"))
    found = privacy.about("C1")
    assert [row["customer_id"] for row in found["events"]] == ["C1"]
    assert found["customer_book"][0]["locale"] == "he"


def test_an_erased_person_has_one_tombstone_and_is_not_back(stores):
    """Who comes back with an old copy is tried in ``tests/faults/test_erasure.py``."""
    events, privacy = stores
    events.append(build_events([{"customer_id": "C1"}, {"customer_id": "C2"}]))
    privacy.erase("C1", receipt_id="r1", at=NOON)
    graves = privacy.tombstones()
    assert len(graves) == 1
    assert privacy.returned(graves) == []


def test_who_has_been_silent_for_long_is_forgotten_and_may_come_back(stores):
    """Retention is no erasure: there is no tombstone."""
    events, privacy = stores
    old = NOON - timedelta(days=900)
    rows = [{"customer_id": "C1", "occurred_at": old}, {"customer_id": "C2"}]
    events.append(build_events(rows))
    assert privacy.silent_since(NOON - timedelta(days=800)) == ["C1"]
    assert privacy.forget(["C1"]) == 1
    assert events.history()["customer_id"].to_pylist() == ["C2"]
    assert events.append(build_events([{"customer_id": "C1", "event_id": "back"}])).accepted == 1


@pytest.mark.parametrize("others", [0, 60])
def test_rows_in_quarantine_go_with_those_they_name_however_many_are_forgotten(stores, others):
    """Few are looked up, many are found in one pass; an id that is part of another one stays."""
    events, privacy = stores
    names = ["C1", *(f"gone-{number}" for number in range(others))]
    told = ('{"user":"C1"}', '{"user":"C11"}', '{"row":["C_1"]}', '{"row":[{"who":"C1"}]}')
    rows = [
        QuarantinedRow(f"r{at}", "o.csv", at, "bad_time", "No time.", payload, "{}")
        for at, payload in enumerate(told)
    ]
    events.quarantine(rows)
    privacy.forget(names)
    assert [row.row_id for row in events.quarantined()] == ["r1", "r2"]
