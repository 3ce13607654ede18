"""A shop's events carry the signals they can, and every other one is named with its reason."""

from __future__ import annotations

from datetime import timedelta

import pytest

from churnguard.errors import CustomerNotFound
from churnguard.events.schema import empty_events
from churnguard.events.timeline import Timeline
from churnguard.features.catalogue import Catalogue
from churnguard.features.coverage import carried_by, empty_columns, mute_without
from churnguard.features.specimen import specimen_events
from churnguard.testing import NOON, build_events

CATALOGUE = Catalogue.of()


def shop(*kinds, **columns):
    """Return a shop with three of each kind of event, all alike."""
    rows = [
        {
            "event": kind,
            "event_id": f"{kind}-{number}",
            "occurred_at": NOON - timedelta(days=number + 1),
            "value": None,
            **columns,
        }
        for kind in kinds
        for number in range(3)
    ]
    return [Timeline.from_arrow(build_events(rows))]


def families(catalogue):
    return {found.family for found in catalogue.signals}


def test_a_shop_with_everything_carries_everything():
    assert carried_by(CATALOGUE, [Timeline.from_arrow(specimen_events())]) == (CATALOGUE, {})


def test_orders_only():
    """Families of orders are carried, and each other family is named with the missing events."""
    carried, left_out = carried_by(CATALOGUE, shop("order_completed", value=9.5))
    assert {"orders", "rhythm", "tenure", "lifetime"} <= families(carried)
    assert families(CATALOGUE) - families(carried) <= set(left_out)
    assert left_out["logins"] == (
        "All signals of 'logins' are left out: the shop has no 'signed_in' events."
    )


def test_logins_only():
    carried, left_out = carried_by(CATALOGUE, shop("signed_in"))
    assert "logins" in families(carried)
    assert "the shop has no 'order_completed' events" in left_out["orders"]


def test_events_without_value():
    """Counts and rhythm stay; what is built on money goes, with the column as the reason."""
    carried, left_out = carried_by(CATALOGUE, shop("order_completed"))
    assert {"orders_90d", "days_since_order", "order_gap_median"} <= set(carried.names)
    assert not {"spend_90d", "order_value_last", "order_value_mean_365d"} & set(carried.names)
    assert "its 'order_completed' events have no 'value'" in left_out["orders"]


def test_what_is_fitted_to_the_value_of_orders_goes_with_it():
    """What an order is worth is fitted over all customers; so is a share of what was bought."""
    carried, left_out = carried_by(CATALOGUE, shop("order_completed", "order_refunded"))
    assert not {"expected_order_value", "expected_spend_90d", "refund_share_365d"} & set(
        carried.names
    )
    assert {"mbgnbd_churn_risk", "refunds_180d"} <= set(carried.names)
    assert left_out["lifetime"] == (
        "2 of 7 signals of 'lifetime' are left out: its 'order_completed' events have no 'value'."
    )


def test_one_value_is_enough():
    """A column counts as missing only where no event fills it."""
    some = [*shop("order_completed"), *shop("order_completed", value=1.0)]
    assert "spend_90d" in carried_by(CATALOGUE, some)[0].names


def test_what_can_live_without_a_column_stays():
    """Cart counts need no values, though carts are read with them."""
    carried, left_out = carried_by(CATALOGUE, shop("product_added", "order_completed"))
    assert "carts_abandoned_90d" in carried.names
    assert "cart_value_left" not in carried.names
    assert "its 'product_added' events have no 'value'" in left_out["carts"]


def test_a_kind_is_missed_where_a_signal_asks_for_one():
    """Survey scores by kind say nothing in a shop whose surveys have no kind."""
    carried, _ = carried_by(CATALOGUE, shop("survey_answered", value=5.0))
    assert not [name for name in carried.names if name.startswith("nps")]


def test_nobody_and_one():
    """No customer at all carries only the calendar; one customer carries what a shop does."""
    nobody = [Timeline.from_arrow(empty_events())]
    carried, left_out = carried_by(CATALOGUE, nobody)
    assert families(carried) == {"calendar"} or not carried.signals
    assert set(left_out) >= families(CATALOGUE) - {"calendar"}
    with pytest.raises(CustomerNotFound):
        nobody[0].codes(["a"])


def test_columns_are_empty_by_kind():
    timeline = shop("order_completed", "signed_in", value=1.0, category="garden")[0]
    empty = empty_columns([timeline])
    assert ("order_completed", "value") not in empty
    assert ("signed_in", "kind") in empty
    assert ("product_viewed", "value") not in empty


def test_only_columns_of_needed_events_make_mute():
    """A refund without a value does not silence spend."""
    orders = Catalogue.of(["orders"])
    assert mute_without(orders, {("order_refunded", "value"), ("signed_in", "value")}) == {}
