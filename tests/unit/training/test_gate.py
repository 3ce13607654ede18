"""The gate lets a better recipe through and refuses planted bad ones for the right reason."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from churnguard.errors import PromotionRefused
from churnguard.training.backtest import MODEL, Backtest, Judged
from churnguard.training.gate import compare, paired_bound
from churnguard.training.recipe import GateRecipe

IDS = np.array([f"C{number}" for number in range(1500)])


def backtest_of(change, cutoffs=3):
    """A backtest over the same rows whose risks are the true ones, changed."""
    judged = []
    for number in range(cutoffs):
        rng = np.random.default_rng(number)
        margin = rng.normal(0, 1.5, len(IDS))
        y = (rng.random(len(IDS)) < expit(margin)).astype(np.int8)
        risks = {MODEL: expit(change(margin, rng))}
        judged.append(Judged(number, IDS, y, risks, 1.0))
    return Backtest(tuple(judged), 200)


TRUE = backtest_of(lambda margin, _: margin)


def first_refusal(verdict):
    with pytest.raises(PromotionRefused) as caught:
        verdict.raise_if_refused()
    return caught.value.gate


def test_an_equal_recipe_passes():
    verdict = compare(TRUE, TRUE, GateRecipe())
    assert verdict.passed
    assert not verdict.weaker
    assert verdict.to_dict()["passed"]


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        (lambda margin, rng: rng.permutation(margin), "calibration slope"),
        (lambda margin, _: -margin, "calibration slope"),
        (lambda margin, _: 2.0 * margin, "calibration slope"),
        (lambda margin, _: margin + 0.6, "log loss against the champion"),
    ],
)
def test_planted_bad_challengers_are_refused(change, gate):
    """Shuffled, reversed, overconfident, and off in level."""
    assert first_refusal(compare(backtest_of(change), TRUE, GateRecipe())) == gate


def test_a_worse_top_of_the_list_is_refused():
    """Well calibrated on the whole, but the riskiest are not the real ones."""

    def spoil(margin, rng):
        spoiled = margin.copy()
        top = np.argsort(-margin)[:150]
        low = np.argsort(margin)[:150]
        spoiled[np.concatenate([top, low])] = margin[np.concatenate([low, top])]
        return spoiled

    verdict = compare(backtest_of(spoil), TRUE, GateRecipe(worse_log_loss=9, slope_low=-9))
    assert first_refusal(verdict).startswith("of the 200")


def test_few_cutoffs_mean_a_weaker_gate_and_a_name():
    few = backtest_of(lambda margin, _: margin, cutoffs=2)
    assert first_refusal(compare(few, few, GateRecipe())) == "named approver"
    named = compare(few, few, GateRecipe(), approver="Dana")
    assert named.passed
    assert named.weaker


def test_without_a_champion_only_the_challenger_is_looked_at():
    verdict = compare(TRUE, None, GateRecipe())
    assert [check.name for check in verdict.checks] == ["calibration slope"]
    assert verdict.passed


def test_nothing_judged_needs_a_name():
    assert not compare(Backtest((), 200), None, GateRecipe()).passed


def test_rows_of_one_customer_are_drawn_together():
    """The same differences on fewer customers give a wider bound."""
    rng = np.random.default_rng(1)
    difference = np.repeat(rng.normal(0, 1, 50), 20)
    together = paired_bound(
        difference, np.repeat(np.arange(50).astype(str), 20), resamples=400, seed=1
    )
    apart = paired_bound(difference, np.arange(1000).astype(str), resamples=400, seed=1)
    assert together > apart
