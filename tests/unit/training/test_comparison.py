"""Paired comparisons say better or worse where it is so, and even where it is luck."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from churnguard.training.backtest import MODEL, Backtest, Judged
from churnguard.training.comparison import _Ranked, compare_models
from churnguard.training.metrics import auc

IDS = np.array([f"C{number}" for number in range(1200)])


@pytest.fixture(scope="module")
def judged():
    found = []
    for number in range(3):
        rng = np.random.default_rng(number)
        margin = rng.normal(0, 1.3, len(IDS))
        y = (rng.random(len(IDS)) < expit(margin)).astype(np.int8)
        noise = rng.normal(0, 1, len(IDS))
        risks = {
            "recency": expit(margin + 2 * noise),
            "rfm logistic": expit(margin + rng.normal(0, 0.1, len(IDS))),
            MODEL: expit(margin + rng.normal(0, 0.1, len(IDS))),
        }
        found.append(Judged(number, IDS, y, risks, 1.0))
    return Backtest(tuple(found), 200)


def test_better_and_even_are_told_apart(judged):
    found = {(one.against, one.metric): one for one in compare_models(judged)}
    assert found["recency", "log_loss"].verdict == "better"
    assert found["recency", "auc"].verdict == "better"
    assert found["rfm logistic", "auc"].verdict == "even"
    assert len(found) == 4


def test_the_mean_is_the_difference_of_the_table(judged):
    for one in compare_models(judged, resamples=20):
        ours, theirs = judged.mean()[one.metric], judged.mean(one.against)[one.metric]
        assert one.mean == pytest.approx(ours - theirs, abs=1e-12)
        assert one.low <= one.mean <= one.high
        assert one.to_dict()["verdict"] == one.verdict


def test_a_weighted_auc_is_that_of_the_rows_drawn(judged):
    """Weights stand for rows drawn several times, ties included."""
    rng = np.random.default_rng(5)
    risk = rng.integers(0, 9, 200) / 10
    y = (rng.random(200) < risk).astype(np.int8)
    times = rng.integers(0, 4, 200)
    drawn = np.repeat(np.arange(200), times)
    found = _Ranked.of(y, risk).auc(times * y, times * (1 - y))
    assert found == pytest.approx(auc(y[drawn], risk[drawn]), abs=1e-12)


def test_the_same_seed_gives_the_same_interval(judged):
    assert compare_models(judged, resamples=20) == compare_models(judged, resamples=20)


def test_a_large_shop_is_drawn_from_a_sample_with_wider_intervals(judged, monkeypatch):
    """The differences are those of everybody; only the luck is measured on fewer."""
    everybody = compare_models(judged)
    monkeypatch.setattr("churnguard.training.comparison._MOST_ROWS", 600)
    some = compare_models(judged)
    assert [one.mean for one in some] == [one.mean for one in everybody]
    for one, wide in zip(everybody, some, strict=True):
        assert wide.high - wide.low > one.high - one.low


def test_nothing_judged_compares_nothing():
    assert compare_models(Backtest((), 200)) == ()
