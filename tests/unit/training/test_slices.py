"""Slices are of signals only, overlap where customers do, and miss what is missing."""

from __future__ import annotations

import numpy as np

from churnguard.training.dataset import Dataset
from churnguard.training.slices import MEANINGS, slices

NAMES = ("orders_total", "days_since_first_order", "net_spend_365d", "days_since_order")


def rows(values, names=NAMES):
    X = np.array(values, float)
    ids = np.array([str(place) for place in range(len(X))])
    return Dataset(X, names, np.zeros(len(X), np.int8), ids, np.zeros(len(X), np.int64))


def test_a_customer_may_be_in_several():
    values = [[1, 5, 900, 5], [3, 400, 50, 200], [4, 300, 50, 20], [2, 90, np.nan, 30]]
    values += [[2, 90, 40, 30]] * 4
    found = slices(rows(values), look_back_days=365)
    assert list(found) == list(MEANINGS)
    assert found["one-time"].tolist() == [True] + [False] * 7
    assert found["new"].tolist() == [True] + [False] * 7
    assert found["high value"].tolist() == [True] + [False] * 7
    assert found["dormant"].tolist() == [False, True] + [False] * 6


def test_a_missing_column_leaves_its_slice_out():
    found = slices(rows([[200.0], [20.0]], ("days_since_order",)), look_back_days=365)
    assert {name: mask.tolist() for name, mask in found.items()} == {"dormant": [True, False]}


def test_a_shop_without_spend_has_nobody_of_high_value():
    found = slices(rows([[0.0], [0.0]], ("net_spend_365d",)), look_back_days=365)
    assert not found["high value"].any()
