"""The quick look at an event states no rule of its own: what it passes, the full judge makes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from churnguard.clock import to_us
from churnguard.events.batch_look import BatchLook
from churnguard.events.mapping import preset
from churnguard.events.quick_look import QuickLook
from churnguard.events.readers import Chunk
from churnguard.jobs.judging import judge
from churnguard.jobs.take_events import STAMPED, table_of_messages
from churnguard.store.event_rows import to_values
from churnguard.testing import NOON, fake_shop

TEXTS = (
    "A", "C-17", " A", "A ", "", " ", "a@b.com", "x@", "[removed]", "+44 20 7946 0000", "0123",
    "020 7946 0000", "null", "nan", "1.0", "\0", "a\tb", "a\u2028", "\u200b", "é", "שלום",
    "x" * 200, "x" * 201, "x" * 1001, "ILS", "ils", "EUR", "#", "o#1", "true",
)  # fmt: skip
anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(TEXTS),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.just({"a": [1, None]}),
    st.just([1]),
)
plain = st.sampled_from(["A", "C-17", "o1", "é"])
instants = st.one_of(
    st.sampled_from(
        [
            "2026-11-20T10:00:00Z", "2026-11-20T10:00:00.123Z", "2026-11-20T10:00:00.123456+02:00",
            "2026-11-20 10:00:00-11:30", "2026-11-20T10:00:00", "1989-12-31T23:59:59Z",
            "1990-01-01T00:00:00Z", "1990-01-01T00:00:00+01:00", "2026-11-22T12:00:00Z",
            "2026-11-22T12:00:00.001Z", "2026-02-30T00:00:00Z", "2026-11-20T24:00:00Z",
            "2026-11-20T23:59:60Z", "2026-11-20T10:00:00+19:00", "2026-11-20T10:00:00.1Z",
            "2026-11-20T10:00:00z", "1763632800", "0001-01-01T00:00:00+10:00",
        ]
    ),
    st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
)  # fmt: skip
amounts = st.one_of(
    st.none(), st.sampled_from([0, -0.0, 1, 0.1, 2.5, 1e12, 1e12 + 1, -1]), st.floats(0, 1e6)
)
properties = st.one_of(
    st.none(),
    st.dictionaries(st.sampled_from(["a", "b c", "e\0"]), anything, max_size=2),
    st.just({"mail": "dana@example.com"}),
    st.just({"long": "x" * 70_000}),
)
rows = st.fixed_dictionaries(
    {
        "event_id": plain | anything,
        "customer_id": plain | anything,
        "event": st.sampled_from(["signed_in", "order_completed", "Order", "a" * 65, ""])
        | anything,
        "occurred_at": instants | anything,
    },
    optional={
        "value": amounts | anything,
        "quantity": amounts | anything,
        "discount": amounts | anything,
        "order_id": plain | anything,
        "category": plain | anything,
        "currency": st.sampled_from(["ILS", "ils", "EUR"]) | anything,
        "kind": anything,
        "properties": properties | anything,
        "clock": st.sampled_from(["true", "assumed", "no"]),
        "received_at": instants,
        "foo": anything,
    },
)
SHOP = fake_shop()
LAG = 3_600
LATE = replace(SHOP, settings=SHOP.settings.model_copy(update={"known_lag_seconds": LAG}))
quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def in_full(shop, row, received):
    chunk = Chunk("test", np.zeros(1, np.int64), table_of_messages([row]))
    return to_values(judge(shop, chunk, preset("events"), STAMPED, received=received).events)


@quick
@given(rows)
@example({"event_id": "e", "customer_id": "A", "event": "signed_in", "occurred_at": "1990-01-01"})
def test_what_passes_at_a_glance_is_what_the_full_judgement_makes(row):
    """To the last bit and type, for either clock."""
    for received, lag in ((to_us(NOON), 0), (None, LAG * 1_000_000)):
        look = QuickLook(NOON, SHOP.settings.currency, received=received, lag_us=lag)
        event = look(row)
        if event is not None:
            found = in_full(LATE, row, received)
            assert found == [event]
            assert repr(found) == repr([event])


def test_plain_rows_do_pass_at_a_glance():
    """The shortcut is taken: an ordinary event is not looked at twice."""
    row = {
        "event_id": "e1", "customer_id": "C1", "event": "order_completed", "value": 49.9,
        "occurred_at": "2026-11-20T10:00:00Z", "quantity": 2, "order_id": "17", "currency": "ILS",
        "properties": {"coupon": "X"},
    }  # fmt: skip
    look = QuickLook(NOON, "ILS", received=to_us(NOON))
    assert look(row) is not None
    assert look(row) == in_full(SHOP, row, to_us(NOON))[0]


sound = st.fixed_dictionaries(
    {
        "event_id": plain,
        "customer_id": plain,
        "event": st.sampled_from(["signed_in", "order_completed"]),
        "occurred_at": instants,
    },
    optional={"value": amounts, "quantity": amounts, "order_id": plain, "properties": properties},
)
written = st.sampled_from(
    ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%S.123+00:00"]
)


@quick
@given(st.lists(sound | rows, min_size=1, max_size=6), st.sampled_from(["", "A", "|", " ", "0"]))
def test_what_passes_in_a_batch_passes_alone_as_the_same(some, more):
    """To the last bit and type, for either clock; a batch states no rule of its own."""
    some = [row | ({"kind": f"k{more}"} if more else {}) for row in some]
    for received, lag in ((to_us(NOON), 0), (None, LAG * 1_000_000)):
        events = BatchLook(NOON, "ILS", received=received, lag_us=lag)(some)
        look = QuickLook(NOON, "ILS", received=received, lag_us=lag)
        if events is not None:
            assert repr(events) == repr([look(row) for row in some])


@quick
@given(st.lists(st.datetimes(), min_size=1, max_size=6), written)
def test_times_written_alike_are_read_as_each_would_be(instants, how):
    """Whatever the day and the century; none is read that alone would leave a doubt."""
    texts = [at.strftime(how) for at in instants]
    row = {"event_id": "e", "customer_id": "A", "event": "signed_in"}
    some = [row | {"occurred_at": text} for text in texts]
    look = QuickLook(NOON, "ILS", received=0)
    alone = [look(row) for row in some]
    assert BatchLook(NOON, "ILS", received=0)(some) == (None if None in alone else alone)


@pytest.mark.parametrize("odd", [{"customer_id": "+44 20 7946 0000"}, {"value": -1}, {"event": 7},
    {"occurred_at": "2026-02-30T10:00:00Z"}, {"occurred_at": "2026-11-20T24:00:00Z"},
    {"order_id": "a "}, {"category": "x" * 1001}, {"kind": "a@b.com"}, {"currency": "EUR"},
    {"event_id": ""}, {"properties": [1]}, {"discount": True}])  # fmt: skip
def test_one_doubtful_row_sends_all_of_a_batch_to_a_look_at_each(odd):
    """Those beside it pass there; without it all of them pass at once."""
    row = {
        "customer_id": "C|1", "event": "order_completed", "value": 49.9, "currency": "ILS",
        "occurred_at": "2026-11-20T10:00:00Z", "quantity": 2, "order_id": "17",
    }  # fmt: skip
    some = [row | {"event_id": f"e{number}"} for number in range(9)]
    look = BatchLook(NOON, "ILS", received=0)
    assert look(some) is not None
    assert look([*some[:4], some[4] | odd, *some[5:]]) is None


@quick
@given(st.lists(rows, min_size=2, max_size=6))
def test_a_message_is_judged_as_it_would_be_alone(some):
    """Whatever else is in the request; even the reason against it is the same."""
    table = table_of_messages(some)
    chunk = Chunk("test", np.zeros(len(some), np.int64), table)
    together = judge(SHOP, chunk, preset("events"), STAMPED, received=to_us(NOON))
    reasons = [together.verdicts.reasons[code] for code in together.verdicts.codes]
    events = iter(to_values(together.events))
    for row, reason in zip(some, reasons, strict=True):
        alone = Chunk("test", np.zeros(1, np.int64), table_of_messages([row]))
        judged = judge(SHOP, alone, preset("events"), STAMPED, received=to_us(NOON))
        assert judged.verdicts.reasons[judged.verdicts.codes[0]] == reason
        if not reason[0]:
            assert repr(to_values(judged.events)[0]) == repr(next(events))
