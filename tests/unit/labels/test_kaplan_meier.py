"""The product-limit estimator agrees with SciPy's, and its bounds hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from churnguard.labels.kaplan_meier import kaplan_meier


def watched(n, seed, *, rate=1 / 60, until=200.0):
    """Return waits that are cut off at random, in whole days so that many are equal."""
    random = np.random.default_rng(seed)
    back, cut = random.exponential(1 / rate, n), random.uniform(0, until, n)
    return np.ceil(np.minimum(back, cut)), back <= cut


@pytest.mark.parametrize("seed", range(5))
def test_share_and_interval_are_those_of_scipy(seed):
    """Against ``scipy.stats.ecdf`` with right-censored data, ties included."""
    waited, back = watched(300, seed)
    curve = kaplan_meier(waited, back)
    peer = stats.ecdf(stats.CensoredData(uncensored=waited[back], right=waited[~back]))
    bounds = peer.cdf.confidence_interval(0.9, method="log-log")
    for day in (5, 30, 31, 100, 150):
        assert curve.share(day) == pytest.approx(peer.cdf.evaluate(day), abs=1e-12)
        low, high = curve.interval(day)
        assert low == pytest.approx(bounds.low.evaluate(day), abs=1e-9)
        assert high == pytest.approx(bounds.high.evaluate(day), abs=1e-9)


def test_nine_of_ten_intervals_hold_the_truth():
    """90 % intervals at day 60, truth 1 - 1/e: 85 to 95 % of 300 samples hold it."""
    truth = 1 - np.exp(-1)
    held = 0
    for seed in range(300):
        random = np.random.default_rng(seed)
        back, cut = random.exponential(60.0, 120), random.uniform(0, 200, 120)
        low, high = kaplan_meier(np.minimum(back, cut), back <= cut).interval(60.0)
        held += low <= truth <= high
    assert 0.85 <= held / 300 <= 0.95


def test_without_any_return_the_share_is_nought_and_not_sure():
    """Nobody of 20 came back: 0 to 14 %, the exact binomial bound."""
    curve = kaplan_meier(np.full(20, 50.0), np.zeros(20, dtype=bool))
    assert curve.share(40) == 0.0
    assert curve.interval(40) == (0.0, pytest.approx(1 - 0.05 ** (1 / 20)))


def test_when_everybody_came_back_the_upper_bound_is_one():
    """All of 10 came back."""
    curve = kaplan_meier(np.arange(1.0, 11.0), np.ones(10, dtype=bool))
    assert curve.share(10) == 1.0
    assert curve.interval(10) == (pytest.approx(0.05 ** (1 / 10)), 1.0)


def test_nobody_watched_is_not_an_error():
    """A rule that calls nobody lost has an empty curve."""
    curve = kaplan_meier(np.zeros(0), np.zeros(0, dtype=bool))
    assert (len(curve), curve.share(10), curve.watched(0)) == (0, 0.0, 0)
