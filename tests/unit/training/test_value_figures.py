"""Expected money is judged by error, ranking and calibration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from churnguard.errors import SchemaError
from churnguard.training.value import value_figures


@pytest.fixture
def money():
    random = np.random.default_rng(1)
    expected = random.lognormal(4, 1, 1000)
    return expected * random.lognormal(-0.125, 0.5, 1000), expected


def test_rank_correlation_is_spearmans(money):
    """Against SciPy, with ties."""
    actual, expected = (np.round(side, -1) for side in money)
    figures = value_figures(actual, expected)
    assert figures.rank_correlation == pytest.approx(stats.spearmanr(actual, expected)[0])


def test_an_unbiased_estimate_is_calibrated_and_a_doubled_one_is_not(money):
    """The same ranking, another calibration and another error."""
    actual, expected = money
    right, doubled = value_figures(actual, expected), value_figures(actual, 2 * expected)
    assert right.calibration < 0.06
    assert right.total == pytest.approx(1.0, abs=0.05)
    assert doubled.calibration == pytest.approx(1.0, abs=0.1)
    assert doubled.rank_correlation == right.rank_correlation
    assert doubled.mae > right.mae


def test_tenths_hold_everybody_and_rise(money):
    """Each customer is in one tenth; the highest brings what its customers brought."""
    actual, expected = money
    figures = value_figures(actual, expected)
    assert sum(tenth.customers for tenth in figures.tenths) == 1000
    means = [tenth.expected for tenth in figures.tenths]
    assert means == sorted(means)
    best = np.argsort(expected)[-100:]
    assert figures.top_tenth == pytest.approx(actual[best].sum() / actual.sum())


def test_a_constant_estimate_ranks_nobody():
    """NaN rather than a warning."""
    figures = value_figures(np.arange(10.0), np.full(10, 4.5))
    assert np.isnan(figures.rank_correlation)
    assert figures.total == 1.0


@pytest.mark.parametrize(
    ("actual", "expected"),
    [(np.ones(9), np.ones(9)), (np.ones(10), np.ones(11)), (np.full(10, np.nan), np.ones(10))],
)
def test_what_cannot_be_judged_is_refused(actual, expected):
    """Too few, unequal, missing."""
    with pytest.raises(SchemaError):
        value_figures(actual, expected)
