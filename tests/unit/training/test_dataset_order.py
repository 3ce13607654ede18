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
