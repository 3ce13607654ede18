"""Rows are taken alike however they lie in memory, and all of them without a copy."""

from __future__ import annotations

import numpy as np
import pytest

from churnguard.training.dataset import Dataset


def dataset(order: str) -> Dataset:
    X = np.arange(24.0).reshape(8, 3)
    ids = np.array(list("abcdefgh"))
    return Dataset(np.array(X, order=order), ("p", "q", "r"), np.zeros(8, np.int8), ids, ids.view())


@pytest.mark.parametrize(
    "rows", [np.arange(8) % 3 == 0, np.array([5, 2, 2, 0]), np.zeros(8, bool)], ids=repr
)
def test_columns_that_lie_together_stay_together(rows):
    """Else LightGBM would copy every row once more."""
    by_row, by_column = dataset("C").take(rows), dataset("F").take(rows)
    assert np.array_equal(by_row.X, by_column.X)
    assert np.array_equal(by_row.customer_ids, by_column.customer_ids)
    assert by_row.X.flags.c_contiguous
    assert by_column.X.flags.f_contiguous


def test_all_rows_are_the_dataset_itself():
    """A large shop's rows are not held twice to drop none of them."""
    whole = dataset("F")
    assert whole.take(np.ones(8, bool)) is whole


@pytest.mark.parametrize("order", ["C", "F"])
def test_neighbouring_rows_are_looked_at_where_they_are(order):
    """What was mature at a past cutoff is not held a second time."""
    whole = dataset(order)
    part = whole.take(np.arange(8) >= 3)
    assert np.shares_memory(part.X, whole.X)
    assert np.array_equal(part.X, whole.X[3:])
    again = part.take(np.array([4, 0]))
    assert np.array_equal(again.X, whole.X[[7, 3]])
    assert not np.shares_memory(again.X, whole.X)


@pytest.mark.parametrize("counted_before", [True, False])
def test_customers_keep_their_order_in_every_part(counted_before):
    """Their numbers are those that comparing the part's own ids would give."""
    ids = np.array(["b", "c", "a", "c", "d", "b"])
    whole = Dataset(np.zeros((6, 1)), ("p",), np.zeros(6, np.int8), ids, np.zeros(6, np.int64))
    if counted_before:
        assert whole.customers.tolist() == [1, 2, 0, 2, 3, 1]
    for part in (whole.take(np.array([4, 1, 1])), whole.take(ids != "a"), whole.only(["p"])):
        people, numbers = np.unique(part.customer_ids, return_inverse=True)
        assert part.people.tolist() == people.tolist()
        assert part.customers.tolist() == numbers.tolist()
