"""What the timeline promises: order, exact integers, and what was known at an instant."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from churnguard.errors import CustomerNotFound, SchemaError
from churnguard.events.timeline import MISSING, Timeline

INSTANT = pa.timestamp("us", tz="UTC")


def events(*rows, **columns):
    """Build events from (event_id, customer_id, event, occurred_at, received_at)."""
    names = ("event_id", "customer_id", "event", "occurred_at", "received_at")
    kinds = (pa.string(), pa.string(), pa.dictionary(pa.int32(), pa.string()), INSTANT, INSTANT)
    base = {
        name: pa.array([row[place] for row in rows], kind)
        for place, (name, kind) in enumerate(zip(names, kinds, strict=True))
    }
    return pa.table(base | columns)


def test_events_are_sorted_by_customer_time_and_id():
    """Ties in time are settled by event id, compared as text, whatever the order of the rows."""
    table = events(
        ("e10", "b", "signed_in", 5, 5),
        ("e9", "a", "signed_in", 7, 7),
        ("e2", "a", "signed_in", 7, 7),
        ("e1", "a", "signed_in", 3, 3),
        quantity=pa.array([10, 9, 2, 1]),
    )
    track = Timeline.from_arrow(table).track("signed_in")
    assert track.read("quantity").tolist() == [1, 2, 9, 10]
    assert track.offsets.tolist() == [0, 3, 4]


def test_instants_that_do_not_fit_the_key_are_still_in_order():
    """Events a microsecond apart stay in order over spans too long for one integer key."""
    far = 2**60
    rows = [(f"e{n}", f"c{n % 50}", "signed_in", at, at) for n, at in enumerate([far + 1, far, 0])]
    many = [(f"x{n}", f"c{n}", "signed_in", 1, 1) for n in range(50)]
    table = events(*rows, ("e9", "c0", "signed_in", far, far), *many)
    track = Timeline.from_arrow(table).track("signed_in")
    for customer in range(50):
        own = track.occurred[track.offsets[customer] : track.offsets[customer + 1]]
        assert own.tolist() == sorted(own.tolist())


def test_money_is_exact_and_missing_is_missing():
    """Money is int64 in 1/10,000, halves to even; null and NaN are missing, not zero."""
    amounts = pa.array([0.1, 19.99, None, float("nan"), 0.00005, 0.00025])
    rows = [(f"e{n}", "a", "order_completed", n, n) for n in range(6)]
    track = Timeline.from_arrow(events(*rows, value=amounts)).track("order_completed")
    assert track.read("value").tolist() == [1_000, 199_900, MISSING, MISSING, 0, 2]


def test_numbers_of_a_slice_in_chunks_are_read_where_they_lie():
    """Nulls are found by their own rows' bits, wherever a table was cut."""
    random = np.random.default_rng(3)
    amounts = [None if random.random() < 0.4 else float(n) for n in range(60)]
    units = [None if random.random() < 0.4 else n for n in range(60)]
    rows = [(f"e{n:02}", "a", "order_completed", n, n) for n in range(60)]
    table = events(*rows, value=pa.array(amounts), quantity=pa.array(units, pa.int32()))
    for part in (table.slice(13, 30), pa.concat_tables([table.slice(13, 9), table.slice(22, 21)])):
        track = Timeline.from_arrow(part).track("order_completed")
        money = [MISSING if n is None else round(n * 10_000) for n in amounts[13:43]]
        assert track.read("value").tolist() == money
        assert track.read("quantity").tolist() == [
            MISSING if n is None else n for n in units[13:43]
        ]


def test_absurd_money_is_refused():
    """An amount that int64 sums could not carry is an error, not a wrong number."""
    table = events(("e1", "a", "order_completed", 1, 1), value=pa.array([1e12]))
    with pytest.raises(SchemaError, match="more than can be money"):
        Timeline.from_arrow(table).track("order_completed").read("value")


def test_a_missing_column_is_named():
    """Events without one of the five needed columns are refused by its name."""
    with pytest.raises(SchemaError, match="received_at"):
        Timeline.from_arrow(events().drop_columns(["received_at"]))


def test_words_are_codes_and_unknown_words_match_nothing():
    """Equal words have equal codes, null is -1, and a word that never occurs matches no code."""
    kinds = pa.array(["nps", None, "nps", "csat"])
    rows = [(f"e{n}", "a", "survey_answered", n, n) for n in range(4)]
    track = Timeline.from_arrow(events(*rows, kind=kinds)).track("survey_answered")
    codes = track.read("kind").tolist()
    assert codes[0] == codes[2] == track.code("kind", "nps") != codes[3]
    assert codes[1] == -1
    assert track.code("kind", "ces") not in codes
    assert track.read("category").tolist() == [-1] * 4


def test_chunked_tables_are_read_whole():
    """A table in chunks with dictionaries of their own is the same as one in a piece."""
    one = events(("e1", "a", "signed_in", 1, 1), ("e2", "b", "signed_in", 2, 2))
    two = events(("e3", "b", "order_completed", 3, 3), ("e4", "a", "signed_in", 4, 4))
    chunked = pa.concat_tables([one, two])
    whole = Timeline.from_arrow(chunked.combine_chunks())
    timeline = Timeline.from_arrow(chunked)
    assert timeline.counts == whole.counts == {"order_completed": 1, "signed_in": 3}
    assert timeline.track("signed_in").occurred.tolist() == [1, 4, 2]


def test_known_at_filters_by_both_clocks_row_by_row():
    """Each row sees events that occurred and were received before its own cutoff, strictly."""
    table = events(
        ("e1", "a", "signed_in", 1, 1),
        ("e2", "a", "signed_in", 2, 9),
        ("e3", "a", "signed_in", 5, 5),
        ("e4", "b", "signed_in", 1, 1),
    )
    timeline = Timeline.from_arrow(table)
    known = timeline.known_at(np.array([0, 1, 0], np.int32), np.array([5, 5, 10]))
    track = known.track("signed_in")
    assert track.offsets.tolist() == [0, 1, 2, 5]
    assert track.occurred.tolist() == [1, 1, 1, 2, 5]
    assert list(known.customer_ids) == ["a", "b", "a"]


def test_first_at_finds_the_first_event_at_or_after():
    """The search is by customer, and an event at the very instant counts as after it."""
    table = events(*[(f"e{n}", "ab"[n % 2], "signed_in", n, n) for n in range(10)])
    track = Timeline.from_arrow(table).track("signed_in")
    found = track.first_at(np.array([0, 0, 1, 1], np.int32), np.array([4, 5, 1, 100]))
    assert found.tolist() == [2, 3, 5, 10]
    assert Timeline.from_arrow(events()).track("x").occurred.tolist() == []


def test_customers_have_codes_by_sorted_id():
    """A customer's code is its place among the sorted ids; an unknown one is named."""
    rows = [("1", "é", "signed_in", 1, 1), ("2", "z", "signed_in", 1, 1), ("3", "A", "x", 1, 1)]
    timeline = Timeline.from_arrow(events(*rows))
    assert list(timeline.customer_ids) == ["A", "z", "é"]
    assert timeline.codes(["é", "A"]).tolist() == [2, 0]
    with pytest.raises(CustomerNotFound, match="nobody"):
        timeline.codes(["nobody"])
