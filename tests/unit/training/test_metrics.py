"""Metrics agree with scikit-learn, or with counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from churnguard.training import metrics

pairs = st.lists(
    st.tuples(st.integers(0, 1), st.integers(1, 19).map(lambda step: step / 20)),
    min_size=4,
    max_size=80,
).filter(lambda rows: 0 < sum(label for label, _ in rows) < len(rows))


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_metrics_equal_scikit_learn(rows):
    """AUC, average precision, log loss and Brier, ties included."""
    y = np.array([label for label, _ in rows], np.int8)
    risk = np.array([value for _, value in rows])
    assert metrics.auc(y, risk) == pytest.approx(roc_auc_score(y, risk))
    assert metrics.average_precision(y, risk) == pytest.approx(average_precision_score(y, risk))
    assert metrics.log_loss(y, risk) == pytest.approx(sklearn_log_loss(y, risk))
    assert metrics.brier(y, risk) == pytest.approx(brier_score_loss(y, risk))


def test_calibration_line_of_far_too_bold_risks_is_found():
    """Newton's steps overshoot there; the slope is that of the truth, not of the last step."""
    rng = np.random.default_rng(0)
    margin = rng.normal(0, 1.5, 1500)
    y = (rng.random(1500) < 1 / (1 + np.exp(-margin))).astype(np.int8)
    right, _ = metrics.calibration_line(y, 1 / (1 + np.exp(-margin)))
    for bold in (2.5, 5.0):
        slope, _ = metrics.calibration_line(y, 1 / (1 + np.exp(-bold * margin)))
        assert slope == pytest.approx(right / bold, abs=1e-3)


def test_calibration_line_equals_an_unpenalised_logistic_regression():
    rng = np.random.default_rng(1)
    risk = rng.uniform(0.02, 0.98, 2000)
    y = (rng.random(2000) < expit(0.6 * logit(risk) - 0.4)).astype(np.int8)
    model = LogisticRegression(C=1e9).fit(logit(risk)[:, None], y)
    slope, intercept = metrics.calibration_line(y, risk)
    assert slope == pytest.approx(model.coef_[0, 0], abs=1e-3)
    assert intercept == pytest.approx(model.intercept_[0], abs=1e-3)


def test_ece_counts_the_gaps_of_equal_groups():
    """Two groups of two, off by 0.1 and by 0.2."""
    y, risk = np.array([0, 0, 1, 1], np.int8), np.array([0.1, 0.1, 0.8, 0.8])
    assert metrics.ece(y, risk, bins=2) == pytest.approx(0.15)


def test_lift_and_top_share_look_at_the_riskiest():
    y = np.array([0] * 8 + [1, 1], np.int8)
    risk = np.arange(10) / 10
    assert metrics.lift(y, risk) == pytest.approx(5.0)
    assert metrics.precision_at(y, risk, count=4) == 0.5


def test_one_class_has_no_auc_and_does_not_stop_the_report():
    found = metrics.all_metrics(np.zeros(5, np.int8), np.full(5, 0.2))
    assert np.isnan(found["auc"])
    assert np.isfinite(found["log_loss"])
