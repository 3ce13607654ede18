"""The wider families on small stories: what a manager would count by hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from churnguard.clock import DAY_US
from churnguard.events.timeline import Timeline
from churnguard.features.build import build_features
from churnguard.features.catalogue import Catalogue

HOUR = 1 / 24
INSTANT = pa.timestamp("us", tz="UTC")
CATALOGUE = Catalogue.of()
WORDS = ("cart_id", "product_id", "category", "kind")
COLUMNS = {"value": pa.float64(), "discount": pa.float64(), "quantity": pa.int64()} | dict.fromkeys(
    WORDS, pa.string()
)


def told(*story, at=400):
    """Return a customer's signals at a day, from (event, day, columns) before it."""
    when = pa.array([int(day * DAY_US) for _, day, _ in story], INSTANT)
    table = pa.table(
        {
            "event_id": [str(place) for place in range(len(story))],
            "customer_id": ["a"] * len(story),
            "event": [event for event, _, _ in story],
            "occurred_at": when,
            "received_at": when,
        }
        | {
            name: pa.array([facts.get(name) for *_, facts in story], kind)
            for name, kind in COLUMNS.items()
        }
    )
    cutoff = np.array([int(at * DAY_US)])
    timeline = Timeline.from_arrow(table)
    rows = build_features(timeline, CATALOGUE, np.zeros(1, np.int32), cutoff)
    return dict(zip(rows.names, rows.values[0].tolist(), strict=True))


def several(event, *days, **facts):
    """Return one event on each of some days."""
    return [(event, day, facts) for day in days]


CASES = [
    (
        "searches within half an hour of a first one are another try",
        several("products_searched", 390, 390 + HOUR / 4, 390 + HOUR / 3, 395),
        {"searches_repeated_30d": 2, "searches_repeated_share_90d": 0.5},
    ),
    (
        "half an hour after the first one a search is a first one again",
        several("products_searched", 390, 390 + HOUR / 2),
        {"searches_repeated_30d": 0, "searches_repeated_share_90d": 0},
    ),
    (
        "the same product in three carts, another one in one",
        [
            *several("product_added", 300, 310, 320, cart_id="c", product_id="lamp"),
            *several("product_added", 330, cart_id="c", product_id="chair"),
        ],
        {"same_product_left_180d": 3, "cart_left_share_90d": 1},
    ),
    (
        "half of the carts were bought",
        [
            *several("product_added", 380, 390, cart_id="c", product_id="lamp"),
            *several("order_completed", 380 + HOUR, value=5.0),
        ],
        {"same_product_left_180d": 1, "cart_left_share_90d": 0.5, "carts_abandoned_90d": 1},
    ),
    (
        "a request that took two days, and one that waits for ten",
        [
            *several("support_ticket_opened", 300, 390, kind="late"),
            *several("support_ticket_closed", 302, kind="late"),
        ],
        {"ticket_wait_median_365d": 2, "ticket_wait_last": 2, "ticket_open_oldest": 10},
    ),
    (
        "each kind of survey is compared with its own last one",
        [
            *several("survey_answered", 100, kind="nps", value=9.0),
            *several("survey_answered", 200, kind="csat", value=5.0),
            *several("survey_answered", 300, kind="nps", value=6.0),
            *several("survey_answered", 310, kind="csat", value=4.0),
        ],
        {"nps_change": -3, "csat_change": -1, "ces_change": np.nan},
    ),
    (
        "half of the orders at a discount, a quarter of the price of those",
        [
            *several("order_completed", 380, value=90.0, discount=30.0),
            *several("order_completed", 390, value=90.0, discount=0.0),
            *several("order_completed", 395, value=500.0),
            *several("coupon_applied", 380),
        ],
        {
            "discount_order_share_365d": 0.5,
            "discount_spend_share_365d": 0.5,
            "discount_share_365d": 30 / 210,
            "discount_ratio_90d": np.nan,
            "coupons_180d": 1,
        },
    ),
    (
        "discounts of now are twice those of before",
        [
            *several("order_completed", 200, value=90.0, discount=10.0),
            *several("order_completed", 390, value=80.0, discount=20.0),
        ],
        {"discount_ratio_90d": 2},
    ),
    (
        "a lamp again, and a chair for the first time",
        [
            *several("order_completed", 200, 390),
            *several("product_ordered", 200, product_id="lamp", category="light"),
            *several("product_ordered", 390, product_id="lamp", category="light"),
            *several("product_ordered", 390, product_id="chair", category="seats"),
        ],
        {
            "new_product_share_90d": 0.5,
            "days_since_new_product": 10,
            "favourite_product_share_365d": 2 / 3,
            "product_variety_365d": 2 / 3,
            "product_ratio_90d": np.nan,
            "new_categories_180d": 1,
        },
    ),
    (
        "an item costs half again as much, and dearer ones are looked at",
        [
            *several("order_completed", 200, 390),
            *several("product_ordered", 200, value=20.0, quantity=2),
            *several("product_ordered", 390, value=15.0, quantity=1),
            *several("product_viewed", 395, 396, 397, value=35.0),
        ],
        {
            "unit_price_365d": 35 / 3,
            "unit_price_ratio_90d": 1.5,
            "view_price_30d": 35,
            "view_price_ratio_30d": 3,
        },
    ),
    (
        "baskets shrink: four units, then two, then one",
        [
            *several("order_completed", 100, value=40.0),
            *several("order_completed", 200, value=20.0),
            *several("order_completed", 350, value=15.0),
            *several("product_ordered", 100, 100, quantity=2),
            *several("product_ordered", 200, 200, quantity=1),
            *several("product_ordered", 350, quantity=1),
        ],
        {
            "basket_value_ratio_90d": 0.5,
            "basket_units_last_ratio": 1 / 3,
            "basket_variety_last_ratio": 0.5,
        },
    ),
    (
        "clicks stop where mails are still opened",
        [
            *several("email_opened", 350, 360),
            *several("email_link_clicked", 100, 200, 300),
            *several("unsubscribed", 390),
        ],
        {
            "email_click_ratio_90d": 0,
            "clicks_per_open_90d": 0,
            "days_since_email_clicked": 100,
            "days_since_unsubscribed": 10,
        },
    ),
]


@pytest.mark.parametrize(("why", "story", "expected"), CASES, ids=[case[0] for case in CASES])
def test_a_story_gives_its_numbers(why, story, expected):
    """Each story in its own words, each number as counted by hand."""
    numbers = told(*story)
    found = {name: numbers[name] for name in expected}
    assert found == pytest.approx(expected, nan_ok=True), why


def test_shrinking_baskets_have_falling_slopes():
    """Fewer units and fewer lines from basket to basket: both slopes are below zero."""
    story = [
        *several("order_completed", 100, 200, 300),
        *several("product_ordered", 100, 100, 100, quantity=3),
        *several("product_ordered", 200, 200, quantity=2),
        *several("product_ordered", 300, quantity=1),
    ]
    numbers = told(*story)
    assert numbers["basket_units_trend_365d"] < 0 > numbers["basket_variety_trend_365d"]


def test_a_shop_without_discounts_has_no_shares_of_them():
    """Unknown is not none: orders without a discount on record say nothing of discounts."""
    numbers = told(*several("order_completed", 300, 390, value=10.0))
    assert np.isnan(numbers["discount_order_share_365d"])
    assert np.isnan(numbers["discount_share_365d"])
