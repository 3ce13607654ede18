"""Poison, duplicates, other orders, odd clocks: what they do to the log, and what they do not."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from small_model import FAMILIES, make_model

from churnguard.events.formats import Item, read_native
from churnguard.features.catalogue import Catalogue
from churnguard.jobs.build import build
from churnguard.jobs.take_events import offer_events
from churnguard.store.database import open_database
from churnguard.store.events import SqlEventStore
from churnguard.testing import NOON, fake_shop

CUTOFF = NOON + timedelta(hours=1)


@pytest.fixture
def open_store(tmp_path):
    """Open shops with a real store each."""
    engines = []

    def make(name: str = "a"):
        engine = open_database(f"sqlite:///{name}.db", root=tmp_path)
        engines.append(engine)
        return replace(fake_shop(), events=SqlEventStore(engine, tmp_path / name))

    yield make
    for engine in engines:
        engine.dispose()


def take(shop, messages, **options):
    """Take messages as a request does; return the receipt."""
    items = [each if isinstance(each, Item) else read_native(each) for each in messages]
    offer = offer_events(shop, items, **options)
    (taken,) = shop.events.take([offer.batch])
    return offer.receipt(taken).to_dict()


def event(number: int, **changes: Any) -> dict[str, Any]:
    said = {"event_id": f"e{number}", "customer_id": "C1", "event": "signed_in"}
    return said | {"occurred_at": "2026-11-20T10:00:00Z"} | changes


@pytest.mark.parametrize(
    "poison",
    [{"customer_id": None}, {"value": "much"}, {"occurred_at": "0000"}, {"properties": "["}, None],
)
def test_a_poisonous_event_stops_no_other(open_store, poison):
    """F23: 499 are stored, one is a dead letter with its place and reason."""
    shop, place = open_store(), 217
    messages: list[Any] = [event(number) for number in range(500)]
    messages[place] = 7 if poison is None else messages[place] | poison
    told = take(shop, messages)
    assert (told["accepted"], told["quarantined"]) == (499, 1)
    assert told["results"][place]["status"] == "quarantined"
    assert told["results"][place]["reason"]
    assert shop.events.history().num_rows == 499
    whole = open_store("b")
    offer = offer_events(whole, [read_native(each) for each in messages], whole=True)
    assert not offer.is_sound


def a_busy_day() -> list[dict[str, Any]]:
    chance = random.Random(5)
    names = ("signed_in", "order_completed", "product_viewed", "product_added", "products_searched")
    start = NOON - timedelta(days=60)
    found = []
    for number in range(400):
        at = start + timedelta(seconds=chance.randrange(60 * 86_400))
        name = chance.choice(names)
        money = round(chance.uniform(1, 90), 2) if name != "signed_in" else None
        found.append(
            event(
                number,
                customer_id=f"C{chance.randrange(12)}",
                event=name,
                occurred_at=at.isoformat(),
                value=money,
                order_id=f"o{number}" if name == "order_completed" else None,
            )
        )
    return found


def features(shop):
    later = replace(shop, clock=lambda: CUTOFF + timedelta(days=1))
    return build(later, [CUTOFF])[0].sort_by("customer_id")


@pytest.mark.chaos
def test_duplicates_reordering_and_replay_change_no_bit(open_store):
    """F25: a day shuffled, doubled and cut otherwise: the same features and risks to the bit."""
    clean, messy = open_store("clean"), open_store("messy")
    day = a_busy_day()
    take(clean, day)
    doubled = day + random.Random(1).sample(day, 200)
    random.Random(2).shuffle(doubled)
    for at in range(0, len(doubled), 37):
        take(messy, doubled[at : at + 37])
    take(messy, day)
    assert messy.events.history().num_rows == len(day)
    assert features(messy).equals(features(clean))
    assert risks(features(messy)).tobytes() == risks(features(clean)).tobytes()


def risks(rows: pa.Table) -> NDArray[np.float64]:
    """Return what a model makes of rows."""
    names = Catalogue.of(FAMILIES).names
    values = np.column_stack([rows[name].to_numpy() for name in names])
    return make_model(1).margins(values)


def test_a_merge_gives_what_would_be_had_the_customer_been_known(open_store):
    """Features after a merge are, to the last bit, those of a shop that knew from the start."""
    known, merged = open_store("known"), open_store("merged")
    day = a_busy_day()
    as_guests = [
        one | {"customer_id": f"guest-{one['customer_id']}"} if number % 3 == 0 else one
        for number, one in enumerate(day)
    ]
    take(known, day)
    take(merged, as_guests[:250])
    merged.events.export()
    names = sorted({one["customer_id"] for one in day})
    links = [Item(link=(f"guest-{name}", name)) for name in names]
    take(merged, [*links[:6], *as_guests[250:300]])
    take(merged, [*as_guests[300:], *links[6:]])
    assert take(merged, as_guests)["duplicates"] == len(day)
    assert features(merged).equals(features(known))
    merged.events.export()
    assert features(merged).equals(features(known))
    logs = [sorted(map(str, each.events.history().to_pylist())) for each in (known, merged)]
    assert logs[0] == logs[1]


# The shop in memory is in Jerusalem.
TIMES = [
    ("late by a year", "2025-11-20T10:00:00Z", datetime(2025, 11, 20, 10, tzinfo=UTC)),
    ("a little ahead of us", "2026-11-21T12:30:00Z", datetime(2026, 11, 21, 12, 30, tzinfo=UTC)),
    ("from the future", "2026-11-23T12:00:00Z", "future_time"),
    ("before there was a web", "1970-01-01T00:00:00Z", "bad_time"),
    ("seconds", 1763632800, datetime(2025, 11, 20, 10, tzinfo=UTC)),
    ("milliseconds", 1763632800123, datetime(2025, 11, 20, 10, 0, 0, 123000, tzinfo=UTC)),
    ("microseconds", 1763632800123456, datetime(2025, 11, 20, 10, 0, 0, 123456, tzinfo=UTC)),
    ("nanoseconds", 1763632800123456789, datetime(2025, 11, 20, 10, 0, 0, 123456, tzinfo=UTC)),
    ("seconds as text", "1763632800", datetime(2025, 11, 20, 10, tzinfo=UTC)),
    ("more than 64 bits", 2**63, "bad_time"),
    ("no zone: the shop's", "2026-11-20T10:00:00", datetime(2026, 11, 20, 8, tzinfo=UTC)),
    ("twice that night: the first", "2026-10-25T01:30:00",
     datetime(2026, 10, 24, 22, 30, tzinfo=UTC)),
    ("never that night: moved on", "2026-03-27T02:30:00", datetime(2026, 3, 27, 0, 30, tzinfo=UTC)),
    ("a day: its midnight", "2026-11-20", datetime(2026, 11, 19, 22, tzinfo=UTC)),
    ("a day that is none", "2026-02-30T10:00:00Z", "bad_time"),
    ("a word", "yesterday", "bad_time"),
    ("nothing", None, "missing_time"),
    ("the year 1 far in the east", "0001-01-01T00:00:00+10:00", "bad_time"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "said", "meant"), TIMES, ids=[row[0] for row in TIMES])
def test_times_of_every_kind_have_one_rule_each(open_store, what, said, meant):
    """F26: each is read by one rule or set aside with a reason; none is known before it came."""
    shop = open_store()
    told = take(shop, [event(1, occurred_at=said)])
    if isinstance(meant, str):
        assert told["reasons"] == {meant: 1}
        return
    assert told["accepted"] == 1
    (row,) = shop.events.history().to_pylist()
    assert (row["occurred_at"], row["received_at"], row["clock"]) == (meant, NOON, "true")


@pytest.mark.chaos
def test_a_late_event_never_leaks_into_a_snapshot_of_the_past(open_store):
    """F26: it occurred before the cutoff, and is not in the row, because it was not known then."""
    shop = open_store()
    past = [event(0, event="order_completed", value=5), event(1, event="order_completed", value=7)]
    take(shop, past, backfill=True)
    cutoff = NOON - timedelta(hours=1)
    before, _ = build(shop, [cutoff])
    take(shop, [event(2, event="order_completed", value=99, occurred_at="2026-11-20T11:00:00Z")])
    assert build(shop, [cutoff])[0].equals(before)
