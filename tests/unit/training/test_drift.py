"""Drift is told by effect sizes, against limits that know how many customers were looked at."""

from __future__ import annotations

import numpy as np
import pytest

from churnguard.training.drift import Limits, Rows, compare_rows, shift
from churnguard.training.drift_cost import drift_cost, drift_like
from churnguard.training.estimated_performance import estimate_performance, observed_performance


def rows(values: np.ndarray) -> Rows:
    return Rows(values[:, None], len(values))


@pytest.mark.parametrize("customers", [100, 1_000, 30_000])
def test_chance_alone_hardly_ever_passes_the_limits(customers):
    """200 pairs of samples of the same customers, 100 columns each looked at: no false alarm."""
    rng = np.random.default_rng(customers)
    drifted = 0
    for _ in range(200 if customers < 10_000 else 20):
        both = rng.lognormal(3, 1, (2, customers))
        sizes = (customers, customers)
        drifted += shift(both[0], both[1], customers=sizes, comparisons=100).drifted
    assert drifted == 0


def test_a_large_shop_does_not_cry_wolf_over_what_is_certain_but_small():
    """A hundredth of a standard deviation is beyond doubt with a million rows, and no matter."""
    rng = np.random.default_rng(1)
    found = shift(
        rng.normal(0, 1, 400_000), rng.normal(0.02, 1, 400_000), customers=(400_000, 400_000)
    )
    assert found.ks > 1.63 * np.sqrt(2 / 400_000)  # 1 % significant on its own
    assert not found.drifted


@pytest.mark.parametrize("customers", [80, 300, 5_000])
def test_another_unit_is_seen_in_shops_of_every_size(customers):
    rng = np.random.default_rng(customers)
    found = shift(
        rng.lognormal(3, 1, customers),
        100 * rng.lognormal(3, 1, customers),
        customers=(customers, customers),
        comparisons=150,
    )
    assert found.moved


def test_limits_narrow_with_the_number_of_customers_down_to_the_floor():
    values = np.arange(2_000.0)
    few, many = (shift(values, values, customers=(n, n)) for n in (100, 1_000_000))
    assert few.psi_limit > many.psi_limit > Limits().psi
    assert few.ks_limit > many.ks_limit > Limits().ks
    assert many.psi_limit == pytest.approx(Limits().psi, abs=0.001)


def test_values_that_are_missing_more_often_are_drift_without_any_value_moving():
    rng = np.random.default_rng(2)
    before, now = rng.normal(size=(2, 1_000))
    now[:300] = np.nan
    found = shift(before, now, customers=(1_000, 1_000), comparisons=100)
    assert (found.missing, found.moved) == (True, False)
    assert not shift(now, before, customers=(1_000, 1_000)).drifted  # fewer missing: no matter


def test_a_signal_that_nobody_has_any_more_is_seen():
    rng = np.random.default_rng(3)
    before = rng.poisson(4, 500).astype(float)
    assert shift(before, np.zeros(500), customers=(500, 500), comparisons=100).moved
    assert shift(np.zeros(500), before, customers=(500, 500), comparisons=100).moved


def test_a_season_is_no_drift_and_a_growing_history_is_none():
    """What differs from one reference only is told, but is no alarm."""
    rng = np.random.default_rng(4)
    summer, winter = rng.normal(0, 1, 1_000), rng.normal(2, 1, 1_000)
    today = rows(rng.normal(2, 1, 1_000))
    [season] = compare_rows({"season": rows(winter), "learned": rows(summer)}, today, ["visits"])
    assert season.against["learned"].moved
    assert not season.drifted
    [young] = compare_rows({"learned": rows(summer)}, today, ["visits"])
    assert young.drifted


def test_a_rank_that_is_turned_round_costs_what_the_list_loses():
    """Outcomes follow the first column; today it is all one value, so the list is drawn blindly."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(2_000, 2))
    y = (X[:, 0] > 1).astype(np.int8)
    now = np.column_stack([np.zeros(4_000), rng.normal(size=4_000)])
    cost = drift_cost(
        lambda Z: Z[:, 0] + 1e-6 * Z[:, 1],
        X,
        y,
        np.full(2_000, 3.0),
        current=now,
        columns=[0],
        listed=200,
    )
    assert cost.caught_before == 400  # of 200 listed of 2,000, carried over to 4,000
    assert 30 < cost.caught_now < 110
    assert cost.worth == pytest.approx(3.0 * cost.missed)


def test_a_drifted_column_takes_todays_values_and_share_of_missing_ones():
    rng = np.random.default_rng(6)
    before, now = rng.normal(size=(2_000, 1)), 100 * rng.normal(size=(1_000, 1))
    now[:500] = np.nan
    drifted = drift_like(before, now, [0])
    kept = ~np.isnan(drifted[:, 0])
    assert kept.mean() == pytest.approx(0.5, abs=0.04)
    assert (np.argsort(drifted[kept, 0]) == np.argsort(before[kept, 0], kind="stable")).mean() > 0.3
    assert np.nanstd(drifted) == pytest.approx(100, rel=0.1)


def test_the_truth_falls_into_the_interval_as_often_as_is_said():
    """100 shops whose risks are calibrated up to a level that is off by its standard deviation."""
    rng = np.random.default_rng(7)
    inside = {"auc": 0, "log_loss": 0, "churners": 0, "caught": 0}
    for seed in range(100):
        margins = rng.normal(0, 1.5, 400)
        risk = 1 / (1 + np.exp(-(margins + rng.normal(0, 0.2))))
        y = (rng.random(400) < risk).astype(np.int8)
        expected = estimate_performance(margins, threshold=0.66, level_sd=0.2, draws=60, seed=seed)
        truth = observed_performance(margins, y, threshold=0.66)
        for name in inside:
            inside[name] += expected[name].holds(truth[name])
    assert all(80 <= hits <= 98 for hits in inside.values()), inside
