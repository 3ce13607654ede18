"""What the label promises: half-open windows, both clocks for eligibility, maturity."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from churnguard.clock import DAY_US
from churnguard.errors import NotEnoughHistory
from churnguard.events.schema import empty_events
from churnguard.events.timeline import Timeline
from churnguard.labels import churned, data_end, eligible, mature

INSTANT = pa.timestamp("us", tz="UTC")


def orders(*rows, event="order_completed"):
    """Build a timeline from (customer_id, occurred day, received day)."""
    return Timeline.from_arrow(
        pa.table(
            {
                "event_id": [str(place) for place in range(len(rows))],
                "customer_id": pa.array([row[0] for row in rows], pa.string()),
                "event": pa.array([event] * len(rows), pa.string()),
                "occurred_at": pa.array([int(row[1] * DAY_US) for row in rows], INSTANT),
                "received_at": pa.array([int(row[2] * DAY_US) for row in rows], INSTANT),
            }
        )
    )


def test_eligibility_looks_back_half_open():
    """An order at T - look-back counts, one at T does not."""
    timeline = orders(("edge", 10, 10), ("old", 9.99, 9.99), ("now", 100, 100), ("in", 50, 50))
    codes = eligible(timeline, 100 * DAY_US, 90)
    assert list(timeline.customer_ids[codes]) == ["edge", "in"]
    assert codes.dtype == np.int32


def test_an_order_not_yet_known_makes_nobody_eligible():
    """Eligibility is decided by what had been received before the cutoff."""
    timeline = orders(("late", 99, 100), ("late too", 50, 500), ("known", 99, 99.9))
    assert list(timeline.customer_ids[eligible(timeline, 100 * DAY_US, 90)]) == ["known"]


def test_the_label_counts_orders_from_the_cutoff_on():
    """An order at T saves the customer, one at T + horizon does not, nor does another event."""
    timeline = orders(
        ("at", 100, 100), ("end", 190, 190), ("before", 99, 99), ("last", 189.99, 400)
    )
    codes = np.arange(4, dtype=np.int32)
    lost = churned(timeline, codes, np.full(4, 100 * DAY_US), 90)
    assert dict(zip(timeline.customer_ids, lost.tolist(), strict=True)) == {
        "at": False,
        "end": True,
        "before": True,
        "last": False,
    }


def test_each_row_has_its_own_cutoff():
    """Rows of one customer at several cutoffs are labelled each by its own horizon."""
    timeline = orders(("a", 100, 100))
    cutoffs = np.array([5, 10, 11, 100, 101]) * DAY_US
    lost = churned(timeline, np.zeros(5, np.int32), cutoffs, 90)
    assert lost.tolist() == [True, True, False, False, True]


def test_labels_are_mature_up_to_the_end_of_the_last_local_day():
    """The horizon may end exactly where the shop-local day of the newest event ends."""
    timeline = orders(("a", 99.5, 99.5))
    end = data_end(timeline, "UTC")
    assert end == 100 * DAY_US
    assert mature(np.array([10 * DAY_US, 10 * DAY_US + 1]), 90, end).tolist() == [True, False]
    assert data_end(timeline, "Asia/Jerusalem") == 100 * DAY_US - 2 * 3_600_000_000


def test_without_events_there_is_no_end():
    """A shop without events is told so."""
    with pytest.raises(NotEnoughHistory):
        data_end(Timeline.from_arrow(empty_events()), "UTC")
