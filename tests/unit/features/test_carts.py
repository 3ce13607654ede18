"""The rule for abandoned carts, case by case."""

from __future__ import annotations

import pyarrow as pa
import pytest

from churnguard.clock import DAY_US
from churnguard.events.timeline import Timeline
from churnguard.features.carts import cart_events

HOUR = DAY_US // 24
INSTANT = pa.timestamp("us", tz="UTC")


def events(*moves):
    """Return the events derived from moves (what, hour, cart, money, product)."""
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
            "product_id": pa.array([move[4] if move[4:] else None for move in moves], pa.string()),
        }
    )
    return cart_events(Timeline.from_arrow(table))


def carts(*moves):
    """Return (hour known, money, units) of the carts left by moves."""
    found = events(*moves)["cart_abandoned"]
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


@pytest.mark.parametrize(
    ("why", "moves", "ended"),
    [
        (
            "an order ends a cart at once, and a cart left ends a day after",
            [("add", 0, "c", 5.0), ("order", 3, "c", 5.0), ("add", 5, "c", 5.0)],
            [(3, 0), (29, 1)],
        ),
        (
            "an emptied cart ended, and was not left",
            [("add", 0, "c", 5.0), ("take", 1, "c", 5.0)],
            [(24, 0)],
        ),
        (
            "an order ends all carts, each of them once",
            [("add", 0, "c", 5.0), ("add", 1, "d", 5.0), ("order", 2, None, 9.0)],
            [(2, 0), (2, 0)],
        ),
        (
            "an order a day after the last item is still in time",
            [("add", 0, "c", 5.0), ("order", 24, None, 9.0)],
            [(24, 0)],
        ),
    ],
)
def test_every_cart_has_one_end(why, moves, ended):
    """Each case of the rule, in the words of the case: when it ended, and whether it was left."""
    found = events(*moves)["cart_ended"]
    rows = zip(found.occurred, found.columns["left"], strict=True)
    assert [(at / HOUR, left) for at, left in rows] == ended, why


def test_a_product_is_left_once_a_cart_and_not_if_it_was_taken_out():
    """Two of a product are left once; what was taken out again, or has no name, is not left."""
    found = events(
        ("add", 0, "c", 5.0, "lamp"),
        ("add", 1, "c", 5.0, "chair"),
        ("add", 1, "c", 5.0, "lamp"),
        ("add", 2, "c", 5.0, None),
        ("take", 3, "c", 5.0, "chair"),
        ("add", 100, "d", 5.0, "lamp"),
        ("add", 200, "c", 5.0, "chair"),
        ("order", 201, None, 5.0),
    )["product_left"]
    rows = zip(found.occurred, found.columns["quantity"], strict=True)
    assert [(at / HOUR, units) for at, units in rows] == [(26, 2), (124, 1)]
    assert len(set(found.columns["product_id"].tolist())) == 1
