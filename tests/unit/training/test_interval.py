"""Intervals hold the risk, are monotone, and widen where less is known; never a row is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from churnguard.training.interval import IntervalTable, fit_intervals
from churnguard.training.recipe import IntervalRecipe


def table(dataset, *, level_sd=0.1, bins=20, shift=0.0):
    silence, habit = dataset.column("days_since_order"), dataset.column("orders_365d")
    margins = 0.02 * (silence - 60) - 0.35 * (habit - 4) + shift
    return fit_intervals(margins, dataset, IntervalRecipe(bins=bins), level_sd=level_sd)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-12, 12), min_size=2, max_size=40))
def test_the_interval_contains_the_risk_and_is_monotone(dataset, margins):
    at = np.sort(np.array(margins))
    bounds = table(dataset, shift=0.4).bounds(at)
    assert (bounds[:, 0] <= expit(at)).all()
    assert (expit(at) <= bounds[:, 1]).all()
    assert (np.diff(bounds, axis=0) >= 0).all()
    assert ((bounds > 0) & (bounds < 1)).all()


def test_fewer_customers_widen_it(make_dataset):
    def width(customers):
        bounds = table(make_dataset(customers=customers)).bounds(np.array([0.0]))
        return float(bounds[0, 1] - bounds[0, 0])

    assert width(60) > width(250) > width(1500)


def test_an_unsure_level_widens_it(dataset):
    at = np.array([-1.0, 0.0, 1.0])
    sure, unsure = table(dataset, level_sd=0.05).bounds(at), table(dataset, level_sd=0.4).bounds(at)
    assert (unsure[:, 0] < sure[:, 0]).all()
    assert (unsure[:, 1] > sure[:, 1]).all()


def test_no_bin_has_fewer_than_twenty_customers(make_dataset):
    small = table(make_dataset(customers=45, cutoffs=3))
    assert min(small.customers) >= 20
    assert len(small.customers) < 20


def test_a_single_bin_still_gives_an_interval(make_dataset):
    tiny = table(make_dataset(customers=15, cutoffs=2))
    bounds = tiny.bounds(np.array([-2.0, 0.0, 2.0]))
    assert len(tiny.customers) == 1
    assert (np.diff(bounds, axis=0) > 0).all()


def test_the_ends_of_a_small_shop_s_range_are_the_least_sure(make_dataset):
    """Beyond the last bin nothing was seen, so in log-odds the interval only grows there."""
    found = table(make_dataset(customers=60))
    reach = np.array(found.high) - np.array(found.low)
    assert reach[0] > 1.5 * reach.min()
    assert reach[-1] > 1.5 * reach.min()
    assert np.argmin(reach) not in (0, len(reach) - 1)


def test_a_bent_map_is_met_by_the_interval(make_dataset):
    """Risks told twice as boldly as they are: with many customers the interval says so."""
    data = make_dataset(customers=1500)
    silence, habit = data.column("days_since_order"), data.column("orders_365d")
    season = 0.6 * data.column("season_sin")
    honest = 0.02 * (silence - 60) - 0.35 * (habit - 4) + season
    bold = fit_intervals(2 * honest, data, IntervalRecipe(), level_sd=0.05)
    low, high = bold.bounds(np.array([2.0]))[0]
    assert low < expit(1.0) < high
    assert high - low > 0.05


def test_one_row_equals_many_bit_for_bit(dataset):
    at = np.linspace(-5, 5, 333)
    found = table(dataset)
    single = np.vstack([found.bounds(at[k : k + 1]) for k in range(len(at))])
    assert found.bounds(at).tolist() == single.tolist()


def test_a_table_survives_its_own_dict(dataset):
    found = table(dataset)
    assert IntervalTable.from_dict(found.to_dict()) == found


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_bin_of_one_outcome_stays_finite(make_dataset, share):
    data = make_dataset(customers=40, cutoffs=2)
    data.y[:] = int(share)
    assert np.isfinite(table(data).bounds(np.array([0.0]))).all()
