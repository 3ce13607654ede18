"""Folds never let a customer, or an overlapping label window, onto both sides."""

from __future__ import annotations

import numpy as np
import pytest

from churnguard.training.folds import cross_folds, customer_fold


@pytest.mark.parametrize("blocks", [2, 3, 6])
def test_no_customer_and_no_label_window_is_on_both_sides(make_dataset, blocks):
    data = make_dataset(customers=60, cutoffs=18)
    folds = list(cross_folds(data, customer_folds=3, time_blocks=blocks, seed=1))
    assert len(folds) == 3 * blocks
    for fold in folds:
        learn, judge = data.take(fold.learn), data.take(fold.judge)
        assert not set(learn.customer_ids) & set(judge.customer_ids)
        apart = np.abs(learn.cutoffs[:, None] - np.unique(judge.cutoffs)[None, :])
        assert apart.min() >= data.horizon_us


def test_every_row_is_judged_exactly_once(make_dataset):
    data = make_dataset(customers=40, cutoffs=12)
    folds = cross_folds(data, customer_folds=2, time_blocks=3, seed=1)
    assert (np.sum([fold.judge for fold in folds], axis=0) == 1).all()


def test_too_little_time_falls_back_to_customers_alone(make_dataset):
    """Three cutoffs within one horizon cannot be kept apart in time; customers still are."""
    data = make_dataset(customers=40, cutoffs=3)
    folds = list(cross_folds(data, customer_folds=2, time_blocks=3, seed=1))
    assert len(folds) == 2
    for fold in folds:
        assert not set(data.customer_ids[fold.learn]) & set(data.customer_ids[fold.judge])


def test_a_customers_fold_does_not_depend_on_who_else_is_there():
    alone = customer_fold(np.array(["x17"]), 5, seed=3)[0]
    among = customer_fold(np.array(["a", "x17", "b"]), 5, seed=3)[1]
    assert alone == among
    other = customer_fold(np.array([f"c{k}" for k in range(1000)]), 5, seed=3)
    assert np.bincount(other).min() > 150
