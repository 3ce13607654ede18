"""The calibration map is monotone, knows the season, and stays near 1 where little is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from churnguard.clock import DAY_US
from churnguard.training.calibration import KNOTS, YEAR_DAYS, Calibration, calibrate
from churnguard.training.recipe import Recipe


def known_margins(dataset):
    """The made-up shop's true log-odds without the season."""
    silence, habit = dataset.column("days_since_order"), dataset.column("orders_365d")
    return 0.02 * (silence - 60) - 0.35 * (habit - 4)


@pytest.fixture(scope="module")
def calibration(dataset):
    until = int(dataset.cutoffs.max()) + dataset.horizon_us
    return calibrate(known_margins(dataset), dataset, Recipe(), until_us=until)


def test_a_true_margin_keeps_its_slope(calibration):
    assert calibration.slope == pytest.approx(1.0, abs=0.12)


def test_a_doubled_margin_is_halved(dataset, calibration):
    until = int(dataset.cutoffs.max()) + dataset.horizon_us
    halved = calibrate(2 * known_margins(dataset), dataset, Recipe(), until_us=until)
    assert halved.slope == pytest.approx(calibration.slope / 2, rel=0.1)


def test_levels_follow_the_season(make_dataset):
    """The made-up season is 0.6 sin; the level finds it within its own uncertainty."""
    data = make_dataset(customers=1500)
    until = int(data.cutoffs.max()) + data.horizon_us
    calibration = calibrate(known_margins(data), data, Recipe(), until_us=until)
    turns = 2 * np.pi * np.arange(KNOTS) / KNOTS
    truth = 0.6 * np.sin(turns)
    assert np.corrcoef(calibration.levels, truth)[0, 1] > 0.95
    assert np.abs(np.array(calibration.levels) - truth).max() < 3 * calibration.level_sd


def test_the_map_is_monotone_at_any_time_of_year(calibration, dataset):
    raw = np.linspace(-6, 6, 101)
    for row in dataset.X[:: len(dataset) // 14]:
        margins = calibration.margins(raw, np.repeat(row[None, :], 101, axis=0))
        assert (np.diff(margins) > 0).all()


def test_the_level_is_continuous_through_the_year(calibration, dataset):
    days = np.linspace(0, YEAR_DAYS, 2000)
    X = np.zeros((2000, len(dataset.names)))
    X[:, dataset.names.index("season_sin")] = np.sin(2 * np.pi * days / YEAR_DAYS)
    X[:, dataset.names.index("season_cos")] = np.cos(2 * np.pi * days / YEAR_DAYS)
    level = calibration.level(X)
    assert np.abs(np.diff(level)).max() < 0.02
    assert level[0] == pytest.approx(level[-1], abs=0.02)


def test_one_row_equals_many_bit_for_bit(calibration, dataset):
    X = dataset.X[::97]
    many = calibration.margins(np.zeros(len(X)), X)
    assert many.tolist() == [float(calibration.margins(np.zeros(1), row[None])[0]) for row in X]


def test_without_season_columns_there_is_one_level(dataset):
    recipe = replace(Recipe(), signals=replace(Recipe().signals, season=()))
    found = calibrate(known_margins(dataset), dataset, recipe, until_us=int(dataset.cutoffs.max()))
    assert found.season_columns is None
    assert len(found.levels) == 1
    assert (found.level(dataset.X[:3]) == found.levels[0]).all()


def test_a_tiny_shop_stays_near_slope_one(make_dataset):
    tiny = make_dataset(customers=8, cutoffs=2)
    found = calibrate(np.zeros(len(tiny)), tiny, Recipe(), until_us=int(tiny.cutoffs.max()))
    assert found.slope == pytest.approx(1.0)


def test_more_of_a_year_seen_makes_the_level_surer(make_dataset):
    def sd(cutoffs):
        data = make_dataset(cutoffs=cutoffs)
        until = int(data.cutoffs.max()) + 200 * DAY_US
        return calibrate(known_margins(data), data, Recipe(), until_us=until).level_sd

    assert sd(14) < sd(3)


def test_a_steady_shop_is_surer_of_its_level_than_a_restless_one(make_dataset):
    """Each shop's own levels say how far its next may be off; neither forgets the usual width."""

    def sd(swing):
        data = make_dataset(customers=400)
        step = np.where(np.searchsorted(np.unique(data.cutoffs), data.cutoffs) % 2, swing, -swing)
        risk = expit(known_margins(data) + step)
        y = (np.random.default_rng(5).random(len(data)) < risk).astype(np.int8)
        until = int(data.cutoffs.max()) + data.horizon_us
        moved = replace(data, y=y)
        return calibrate(known_margins(moved), moved, Recipe(), until_us=until).level_sd

    assert 0.1 < sd(0.0) < 0.8 * sd(0.4)


@pytest.mark.parametrize(("cutoffs", "steady"), [(7, True), (14, False)])
def test_a_season_is_told_only_once_the_year_was_seen(make_dataset, cutoffs, steady):
    """Before that the level ahead goes one way, back to what is usual, without waves."""
    data = make_dataset(cutoffs=cutoffs)
    until = int(data.cutoffs.max()) + data.horizon_us
    found = calibrate(known_margins(data), data, Recipe(), until_us=until)
    first = int(until / DAY_US / YEAR_DAYS % 1.0 * KNOTS) + 1
    ahead = np.roll(found.levels, -first)[:-1]
    assert (len(set(np.sign(np.diff(ahead)))) == 1) == steady


def test_a_calibration_survives_its_own_dict(calibration):
    assert Calibration.from_dict(calibration.to_dict()) == calibration
    assert calibration.id == Calibration.from_dict(calibration.to_dict()).id


def test_a_new_cutoff_is_calibrated(make_dataset):
    """Learned from ten cutoffs, the level is right on the next within three of its own SDs."""
    data = make_dataset(customers=1500, cutoffs=14)
    until = np.unique(data.cutoffs)[13]
    known = data.take(data.mature(until_us=int(until)))
    found = calibrate(known_margins(known), known, Recipe(), until_us=int(until))
    now = data.take(data.cutoffs == until)
    risk = expit(found.margins(known_margins(now), now.X))
    off = logit(risk.mean()) - logit(now.y.mean())
    assert abs(off) < 3 * found.level_sd
