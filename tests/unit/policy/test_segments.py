"""Segments follow their stated rules, in their stated order."""

from __future__ import annotations

import math

import numpy as np
import pytest

from churnguard.policy.rules import SignalTable
from churnguard.policy.segments import SEGMENTS, segments

LOYAL = {
    "orders_total": 8,
    "days_since_order": 20,
    "days_since_first_order": 700,
    "order_gap_ratio": 0.7,
    "net_spend_365d": 300,
    "spend_365d": 300,
    "spend_90d": 90,
    "orders_90d": 2,
}


def segment(**changes):
    signals = LOYAL | changes
    table = SignalTable.of(np.array([list(signals.values())], dtype=float), tuple(signals))
    return segments(table, shop_mean_spend=200.0, look_back_days=365)[0]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "loyal"),
        ({"days_since_first_order": 30}, "new"),
        ({"orders_total": 1, "days_since_first_order": 31, "days_since_order": 31}, "one_time"),
        ({"orders_total": 1, "days_since_order": 183}, "dormant"),
        ({"days_since_order": 182}, "loyal"),
        ({"order_gap_ratio": 2}, "at_risk"),
        ({"order_gap_ratio": 2, "net_spend_365d": 600}, "at_risk"),
        ({"net_spend_365d": 600}, "high_value"),
        ({"net_spend_365d": 599}, "loyal"),
        ({"spend_90d": 150}, "rising"),
        ({"spend_90d": 150, "days_since_first_order": 179}, "loyal"),
        ({"order_gap_ratio": math.nan}, "loyal"),
        ({"orders_total": math.nan, "net_spend_365d": math.nan}, None),
    ],
)
def test_a_segment_has_its_rule(changes, expected):
    """Each rule on its border, and its place in the order."""
    assert segment(**changes) == expected


def test_a_shop_without_spend_has_no_high_value_customers():
    """Three times nothing is not high value."""
    table = SignalTable.of(np.array([[2.0, 0.0]]), ("orders_total", "net_spend_365d"))
    assert segments(table, shop_mean_spend=0.0, look_back_days=365) == ["loyal"]


def test_the_segments_are_those_that_were_promised():
    """Seven, and each is reached by a customer of the table above."""
    promised = {"new", "one_time", "loyal", "high_value", "rising", "at_risk", "dormant"}
    assert {known.code for known in SEGMENTS} == promised


@pytest.mark.parametrize("known", SEGMENTS, ids=lambda known: known.code)
def test_every_segment_is_named_and_explained_in_both_languages(known):
    """A page in Hebrew shows no English segment."""
    for texts in (known.name, known.meaning):
        assert set(texts) == {"en", "he"}
        assert any("א" <= letter <= "ת" for letter in texts["he"])
