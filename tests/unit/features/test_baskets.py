"""Baskets: lines of one customer at one instant are one basket."""

from __future__ import annotations

import pyarrow as pa

from churnguard.events.timeline import Timeline
from churnguard.features.baskets import basket_events

INSTANT = pa.timestamp("us", tz="UTC")


def baskets(*lines):
    """Return (instant, units, lines) of lines (customer, instant, quantity), and the offsets."""
    at = pa.array([line[1] for line in lines], INSTANT)
    table = pa.table(
        {
            "event_id": pa.array([str(place) for place in range(len(lines))], pa.string()),
            "customer_id": pa.array([line[0] for line in lines], pa.string()),
            "event": pa.array(["product_ordered"] * len(lines), pa.string()),
            "occurred_at": at,
            "received_at": at,
            "quantity": pa.array([line[2] for line in lines], pa.int64()),
        }
    )
    found = basket_events(Timeline.from_arrow(table))["basket_bought"]
    columns = (found.occurred, found.columns["quantity"], found.columns["lines"])
    return [tuple(map(int, row)) for row in zip(*columns, strict=True)], found.offsets.tolist()


def test_lines_at_one_instant_are_one_basket():
    """Units add up, a line without a number adds none, and lines are counted."""
    found, _ = baskets(("a", 5, 2), ("a", 5, None), ("a", 7, 1))
    assert found == [(5, 2, 2), (7, 1, 1)]


def test_two_customers_at_one_instant_have_two_baskets():
    """Where one customer ends another begins, at whatever instant."""
    found, offsets = baskets(("a", 5, 2), ("b", 5, 3))
    assert found == [(5, 2, 1), (5, 3, 1)]
    assert offsets == [0, 1, 2]


def test_a_shop_without_lines_has_no_baskets():
    """Nothing in, nothing out."""
    assert baskets() == ([], [0])
