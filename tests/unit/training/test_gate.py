"""The gate lets a better recipe through and refuses planted bad ones for the right reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from churnguard.errors import PromotionRefused
from churnguard.training.backtest import MODEL, Backtest, Judged
from churnguard.training.gate import compare, paired_bound
from churnguard.training.recipe import GateRecipe

IDS = np.array([f"C{number}" for number in range(1500)])
ONE_TIME = np.arange(len(IDS)) < 500
TINY = np.arange(len(IDS)) >= 1450


def backtest_of(change, cutoffs=3):
    """A backtest over the same rows whose risks are the true ones, changed."""
    judged = []
    for number in range(cutoffs):
        rng = np.random.default_rng(number)
        margin = rng.normal(0, 1.5, len(IDS))
        y = (rng.random(len(IDS)) < expit(margin)).astype(np.int8)
        risks = {MODEL: expit(change(margin, rng, y)), "recency": expit(0.5 * margin)}
        slices = {"one-time": ONE_TIME, "high value": TINY}
        judged.append(Judged(number, IDS, y, risks, 1.0, slices))
    return Backtest(tuple(judged), 200)


TRUE = backtest_of(lambda margin, *_: margin)


def first_refusal(verdict):
    with pytest.raises(PromotionRefused) as caught:
        verdict.raise_if_refused()
    return caught.value


def test_an_equal_recipe_passes():
    verdict = compare(TRUE, TRUE, GateRecipe())
    assert verdict.passed
    assert not verdict.weaker
    assert verdict.to_dict()["passed"]


def test_a_slightly_different_recipe_passes_in_every_slice():
    """A little noise, as between two seeds, is no reason to refuse."""
    near = backtest_of(lambda margin, rng, _: margin + rng.normal(0, 0.1, len(margin)))
    assert compare(near, TRUE, GateRecipe()).passed


@pytest.mark.parametrize(
    ("change", "gate", "told"),
    [
        (
            lambda margin, rng, _: rng.permutation(margin),
            "tells churners from others",
            "no better than chance",
        ),
        (lambda margin, *_: -margin, "tells churners from others", "upside down"),
        (lambda margin, *_: 0 * margin, "tells churners from others", "the same risk"),
        (lambda margin, _, y: margin + 6.0 * y - 3.0, "too good to be true", "know the future"),
        (lambda margin, *_: 2.0 * margin, "calibration slope", "too bold"),
        (lambda margin, *_: 0.5 * margin, "calibration slope", "too timid"),
        (lambda margin, *_: margin + 0.6, "log loss against the champion", "+0.0"),
    ],
    ids=["shuffled", "reversed", "constant", "leak", "overconfident", "timid", "off in level"],
)
def test_planted_bad_challengers_are_refused_for_the_right_reason(change, gate, told):
    refused = first_refusal(compare(backtest_of(change), TRUE, GateRecipe()))
    assert refused.gate == gate
    assert told in refused.got


def test_a_leak_is_seen_beside_a_weak_champion_by_the_plain_baselines():
    """A poor champion does not let a leak through: recency and its like are known as well."""
    leak = backtest_of(lambda margin, _, y: margin + 6.0 * y - 3.0)
    poor = backtest_of(lambda margin, rng, _: rng.permutation(margin))
    assert first_refusal(compare(leak, poor, GateRecipe())).gate == "too good to be true"
    assert compare(TRUE, poor, GateRecipe()).passed


def test_a_worse_top_of_the_list_is_refused():
    """Well calibrated on the whole, but the riskiest are not the real ones."""

    def spoil(margin, *_):
        spoiled = margin.copy()
        order = np.argsort(-margin)
        top, low = order[:100], order[400:500]
        spoiled[np.concatenate([top, low])] = margin[np.concatenate([low, top])]
        return spoiled

    verdict = compare(backtest_of(spoil), TRUE, GateRecipe(worse_log_loss=9, slope_low=-9))
    assert first_refusal(verdict).gate.startswith("of the 200")


def test_a_challenger_that_fails_one_slice_is_refused_by_its_name():
    """Better on the whole and with the same list, yet the level of one-time buyers is off."""
    challenger = backtest_of(lambda margin, *_: margin + 0.8 * ONE_TIME)
    champion = backtest_of(lambda margin, *_: margin - 0.8 * ~ONE_TIME)
    verdict = compare(challenger, champion, GateRecipe())
    overall = [check for check in verdict.checks if "one-time" not in check.name]
    assert all(check.passed for check in overall)
    assert first_refusal(verdict).gate == "one-time: log loss against the champion"


def test_a_slice_that_is_too_bold_is_refused_unless_the_champion_is_as_bold():
    def bold(margin, *_):
        return np.where(ONE_TIME, 2.5 * margin, margin)

    gate = GateRecipe(worse_log_loss=0.3, slope_low=0.5, contacts=750)
    verdict = compare(backtest_of(bold), TRUE, gate)
    assert first_refusal(verdict).gate == "one-time: calibration slope"
    assert compare(backtest_of(bold), backtest_of(bold), gate).passed


def test_a_small_slice_is_reported_and_not_judged():
    """However bad it is: fifty customers prove nothing."""

    def spoil(margin, *_):
        return np.where(TINY, -margin, margin)

    verdict = compare(backtest_of(spoil), TRUE, GateRecipe())
    told = [check for check in verdict.checks if check.name.startswith("high value")]
    assert [(check.passed, check.reported_only) for check in told] == [(True, True)]
    assert told[0].got.startswith("150 rows")


def test_few_cutoffs_mean_a_weaker_gate_and_a_name():
    few = backtest_of(lambda margin, *_: margin, cutoffs=2)
    assert first_refusal(compare(few, few, GateRecipe())).gate == "named approver"
    named = compare(few, few, GateRecipe(), approver="Dana")
    assert named.passed
    assert named.weaker


def test_without_a_champion_only_the_challenger_is_looked_at():
    verdict = compare(TRUE, None, GateRecipe())
    names = ["too good to be true", "tells churners from others", "calibration slope"]
    assert [check.name for check in verdict.checks] == names
    assert verdict.passed


def test_nothing_judged_needs_a_name():
    assert not compare(Backtest((), 200), None, GateRecipe()).passed


def test_customers_that_only_one_recipe_scored_are_left_out():
    """Both recipes are held against each other on the same rows, with the same slices."""
    half = Backtest(
        tuple(
            replace(
                one,
                customer_ids=one.customer_ids[::2],
                y=one.y[::2],
                risks={name: risk[::2] for name, risk in one.risks.items()},
                slices={},
            )
            for one in TRUE.judged
        ),
        200,
    )
    verdict = compare(TRUE, half, GateRecipe())
    assert verdict.passed
    assert next(c for c in verdict.checks if c.name.startswith("high")).got.startswith("75 rows")


def test_rows_of_one_customer_are_drawn_together():
    """The same differences on fewer customers give a wider bound."""
    rng = np.random.default_rng(1)
    difference = np.repeat(rng.normal(0, 1, 50), 20)
    together = paired_bound(
        difference, np.repeat(np.arange(50).astype(str), 20), resamples=400, seed=1
    )
    apart = paired_bound(difference, np.arange(1000).astype(str), resamples=400, seed=1)
    assert together > apart
