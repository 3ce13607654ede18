"""The rule for abandoned carts, case by case."""

from __future__ import annotations

import pyarrow as pa
import pytest

from churnguard.clock import DAY_US
from churnguard.events.timeline import Timeline
from churnguard.features.carts import cart_events

HOUR = DAY_US // 24
INSTANT = pa.timestamp("us", tz="UTC")


def carts(*moves):
    """Return (hour known, money, units) of the carts left by moves (what, hour, cart, money)."""
    names = {"add": "product_added", "take": "product_removed", "order": "order_completed"}
    table = pa.table(
        {
            "event_id": [str(place) for place in range(len(moves))],
            "customer_id": ["a"] * len(moves),
            "event": [names[move[0]] for move in moves],
            "occurred_at": pa.array([int(move[1] * HOUR) for move in moves], INSTANT),
            "received_at": pa.array([int(move[1] * HOUR) for move in moves], INSTANT),
            "cart_id": pa.array([move[2] for move in moves], pa.string()),
            "value": pa.array([move[3] for move in moves], pa.float64()),
        }
    )
    found = cart_events(Timeline.from_arrow(table))["cart_abandoned"]
    rows = zip(found.occurred, found.columns["value"], found.columns["quantity"], strict=True)
    return [(at / HOUR, money / 10_000, left) for at, money, left in rows]


@pytest.mark.parametrize(
    ("why", "moves", "left"),
    [
        ("it is known a day after the last item", [("add", 1, "c", 5.0)], [(25, 5, 1)]),
        (
            "every item starts the day anew, up to its very end",
            [("add", 0, "c", 5.0), ("add", 24, "c", 2.0)],
            [(48, 7, 2)],
        ),
        (
            "an item after that begins another cart",
            [("add", 0, "c", 5.0), ("add", 24.01, "c", 2.0)],
            [(24, 5, 1), (48.01, 2, 1)],
        ),
        ("an order within the day closes it", [("add", 0, "c", 5.0), ("order", 24, None, 5.0)], []),
        (
            "an order after the day does not",
            [("add", 0, "c", 5.0), ("order", 24.01, None, 5.0)],
            [(24, 5, 1)],
        ),
        (
            "an order at the same instant closes it",
            [("add", 3, "c", 5.0), ("order", 3, "c", 5.0)],
            [],
        ),
        (
            "an order closes all carts of the customer",
            [("add", 0, "c", 5.0), ("add", 1, "d", 5.0), ("order", 2, "d", 5.0)],
            [],
        ),
        (
            "what is put in after the order counts for itself",
            [("add", 0, "c", 5.0), ("order", 1, None, 5.0), ("add", 2, "c", 3.0)],
            [(26, 3, 1)],
        ),
        (
            "what is taken out lowers what is left",
            [("add", 0, "c", 5.0), ("add", 1, "c", 2.0), ("take", 2, "c", 5.0)],
            [(25, 2, 1)],
        ),
        ("an emptied cart is not left", [("add", 0, "c", 5.0), ("take", 2, "c", 5.0)], []),
        (
            "taking something out does not start the day anew",
            [("add", 0, "c", 5.0), ("add", 0, "c", 5.0), ("take", 20, "c", 5.0)],
            [(24, 5, 1)],
        ),
        (
            "items without a cart share one nameless cart",
            [("add", 0, None, 5.0), ("add", 1, None, None)],
            [(25, 5, 2)],
        ),
    ],
)
def test_a_cart_is_left_by_the_rule(why, moves, left):
    """Each case of the rule, in the words of the case."""
    assert carts(*moves) == left, why


def test_without_items_there_are_no_carts():
    """Orders alone leave no cart."""
    assert carts(("order", 1, None, 5.0)) == []
