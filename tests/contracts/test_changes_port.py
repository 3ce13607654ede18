"""What every adapter that tells how far the store is promises: the fake and the real one alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.testing import (
    NOON,
    FakeChanges,
    FakeEventStore,
    FakeScoreStore,
    build_events,
    build_score,
)


@pytest.fixture(params=["fake", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def stores(request, tmp_path) -> Iterator[tuple[Any, Any, Any]]:
    """Make an empty event store and score store, and what tells how far they are."""
    if request.param == "fake":
        events, scores = FakeEventStore(), FakeScoreStore()
        yield events, scores, FakeChanges(events, scores)
        return
    from churnguard.store.changes import SqlChanges
    from churnguard.store.database import open_database, upgrade_database
    from churnguard.store.events import SqlEventStore
    from churnguard.store.scores import SqlScoreStore

    url = "sqlite:///shop.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
        upgrade_database(url)
    engine = open_database(url, root=tmp_path)
    yield SqlEventStore(engine, tmp_path / "events"), SqlScoreStore(engine), SqlChanges(engine)
    engine.dispose()


def put(events: Any, **row: Any) -> None:
    table = pa.Table.from_pylist([{"customer_id": "C1"} | row], schema=CUSTOMER_SCHEMA)
    events.put_customers(table)


def test_an_empty_store_is_nowhere(stores):
    _, _, changes = stores
    position, newest = changes.position(NOON)
    assert (position.events, position.outcomes, position.book, newest) == (0, 0, 0, None)


def moves(changes: Any, act: Callable[[], object]) -> set[str]:
    """Return which parts of the position an act changes."""
    before, _ = changes.position(NOON)
    act()
    after, _ = changes.position(NOON)
    return {name for name in vars(before) if getattr(before, name) != getattr(after, name)}


def test_each_kind_of_change_moves_its_own_part_and_nothing_moves_without_one(stores):
    events, scores, changes = stores
    assert moves(changes, lambda: events.append(build_events())) == {"events"}
    assert moves(changes, lambda: events.append(build_events())) == set(), "a duplicate"
    assert moves(changes, lambda: put(events, consent_email=True)) == {"book"}
    assert moves(changes, lambda: put(events, consent_email=True)) == set(), "said before"
    assert moves(changes, lambda: put(events, opt_out_profiling=True)) == {"book"}
    assert moves(changes, lambda: scores.save_decisions([build_score("C1")])) == set()
    report = {"at": NOON, "actor": "crm"}
    assert moves(changes, lambda: scores.record_outcome("d-C1", "contacted", **report)) == {
        "outcomes"
    }


def test_who_has_new_events_is_told_by_their_numbers(stores):
    events, _, changes = stores
    for number, who in enumerate(("C1", "C2", "C1")):
        events.append(build_events([{"event_id": f"e{number}", "customer_id": who}]))
    now = changes.position(NOON)[0]
    assert changes.touched(replace(now, events=0), now) == {"C1", "C2"}
    assert changes.touched(replace(now, events=now.events - 1), now) == {"C1"}
    assert changes.touched(now, now) == frozenset()
    assert changes.touched(replace(now, epoch="another"), now) is None


def test_the_newest_event_is_one_that_was_known_by_then(stores):
    """By both clocks: neither what lies ahead nor what we were told of later."""
    events, _, changes = stores
    hour = timedelta(hours=1)
    rows = [(-5, -5), (-4, 2), (-3, -3), (1, 1)]
    events.append(
        build_events(
            [
                {
                    "event_id": f"e{occurred}",
                    "occurred_at": NOON + occurred * hour,
                    "received_at": NOON + received * hour,
                }
                for occurred, received in rows
            ]
        )
    )
    assert changes.position(NOON)[1] == NOON - 3 * hour
    assert changes.position(NOON - 3 * hour)[1] == NOON - 5 * hour
    assert changes.position(NOON + 9 * hour)[1] == NOON + hour
    assert changes.position(NOON - 9 * hour)[1] is None
