"""A regression whose rows are looked at in blocks is the one that any other way finds."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from churnguard.errors import SchemaError
from churnguard.training import linear
from churnguard.training.linear import fit_linear, logistic


@pytest.mark.parametrize("block", [64, 8_192])
def test_the_weights_are_the_most_probable_ones(dataset, monkeypatch, block):
    """They are what another solver finds when it is let run to the end."""
    monkeypatch.setattr(linear, "_BLOCK", block)
    rng = np.random.default_rng(3)
    scaled = np.column_stack([dataset.X[:, 0] / 60, rng.normal(size=(len(dataset), 2))])
    weights, intercept = logistic(dataset, scaled, strength=0.01)
    places = np.unique(dataset.cutoffs, return_inverse=True)[1]
    design = np.hstack([scaled, 30.0 * np.eye(places.max() + 1)[places]])
    other = LogisticRegression(C=0.01, fit_intercept=False, tol=1e-12, max_iter=10_000)
    found = other.fit(design, dataset.y).coef_[0]
    assert weights == pytest.approx(found[:3], abs=1e-6)
    assert intercept == pytest.approx(30.0 * float(design[:, 3:].mean(axis=0) @ found[3:]) / 30.0)


def test_a_bold_step_is_taken_back(dataset):
    """Outcomes told apart without error have weights that only the pull to 0 ends."""
    apart = np.where(dataset.y == 1, 1.0, -1.0)[:, None]
    weights, intercept = logistic(dataset, apart, strength=1e6)
    assert 5.0 < weights[0] < 50.0
    assert np.isfinite(intercept)


def test_it_learns_the_same_however_rows_are_cut(dataset, quick, monkeypatch):
    """Means and spreads do not depend on the size of blocks; missing numbers count for nothing."""
    whole = fit_linear(dataset, quick)
    monkeypatch.setattr(linear, "_BLOCK", 100)
    cut = fit_linear(dataset, quick)
    assert cut.middles == pytest.approx(whole.middles, rel=1e-12)
    assert cut.weights == pytest.approx(whole.weights, abs=1e-9)
    place = whole.columns.index(dataset.names.index("order_gap_ratio"))
    known = dataset.column("order_gap_ratio")
    known = known[~np.isnan(known)]
    assert whole.middles[place] == pytest.approx(linear.squeeze(known).mean())
    assert whole.spreads[place] == pytest.approx(linear.squeeze(known).std())


def test_infinity_is_refused(dataset):
    """It would make every weight unknown without a word."""
    scaled = np.zeros((len(dataset), 1))
    scaled[5] = np.inf
    with np.errstate(invalid="ignore"), pytest.raises(SchemaError, match="infinite"):
        logistic(dataset, scaled, strength=1.0)
