"""The learner by evidence: simple where there is little, rich where it is better, exact always."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from churnguard.clock import DAY_US
from churnguard.errors import RecipeError
from churnguard.training.choice import FIRST, Choice, choose, fit_chosen
from churnguard.training.fit import fit
from churnguard.training.model import load_model


def end(dataset):
    return int(dataset.cutoffs.max()) + 90 * DAY_US


def chosen(dataset, recipe):
    return choose(dataset, recipe, until_us=end(dataset), threads=1)[0]


@pytest.fixture(scope="module")
def found(dataset, quick):
    return choose(dataset, quick, until_us=end(dataset), threads=1)


def test_richer_learners_get_a_say_where_they_are_better(found):
    """Two signals make the made-up shop's risk; no single column tells it."""
    choice, _ = found
    assert choice.simple == "btyd"
    assert choice.weights["linear"] + choice.weights["boosted"] > 0.3
    assert choice.log_loss < min(one.log_loss for one in choice.candidates) + 0.002
    assert choice.log_loss < choice.mean_rate_log_loss


def test_the_simple_learner_is_not_compared_with_itself(found):
    """Where there are no orders, the linear model is the simple one."""
    linear = replace(found[0], simple="linear")
    assert "against the linear model: boosted trees" in linear.to_text()


def test_trees_get_no_say_where_there_is_nothing_to_learn(make_dataset, quick):
    """With labels that no signal tells, evidence for trees is luck and moves little.

    Those that few customers can carry keep what they had.
    """
    data = make_dataset(customers=50, cutoffs=6)
    rng = np.random.default_rng(5)
    blind = replace(data, y=(rng.random(len(data)) < 0.5).astype(np.int8))
    choice = chosen(blind, replace(quick, choice=replace(quick.choice, prior_sd=0.1)))
    assert choice.weights.get("boosted", 0.0) < 0.1
    assert all(abs(choice.weights[kind] - 1 / 3) < 0.15 for kind in FIRST)


def test_more_customers_move_the_weights_further(make_dataset, quick):
    def moved(customers):
        weights = chosen(make_dataset(customers=customers, cutoffs=6), quick).weights
        return sum(abs(weights.get(kind, 0.0) - 1 / 3) for kind in FIRST)

    assert moved(400) > moved(40) + 0.1


def test_trees_are_freed_from_a_start_that_leads_astray(make_dataset, quick):
    """A start that told much and is turned round at the newest cutoffs is given up."""
    data = make_dataset(customers=400, cutoffs=6)
    astray = data.X.copy()
    place = data.names.index(quick.signals.start)
    turned = data.cutoffs > np.unique(data.cutoffs)[3]
    astray[:, place] = np.where(data.y.astype(bool) ^ turned, 0.9, 0.1)
    assert not chosen(data, quick).free
    choice = chosen(replace(data, X=astray), quick)
    assert choice.free
    assert "trees start from nothing" in choice.to_text()
    assert Choice.from_dict(choice.to_dict()) == choice


def test_the_margin_is_the_sum_of_its_parts(found, dataset, quick):
    """Contributions of a weighted sum are exact; one row gives the bits of many."""
    scorer = fit_chosen(found[0], dataset, quick, threads=1)
    rows = dataset.X[:200]
    margins = scorer.margins(rows)
    assert np.allclose(scorer.contributions(rows).sum(axis=1), margins, atol=1e-9)
    assert [scorer.margins(rows[k : k + 1])[0] for k in range(50)] == margins[:50].tolist()


def test_a_model_with_its_choice_survives_the_disk(dataset, quick, tmp_path):
    model = fit(dataset, quick, until_us=end(dataset), threads=1)
    model.save(tmp_path)
    back = load_model(tmp_path)
    assert back.margins(dataset.X).tolist() == model.margins(dataset.X).tolist()
    assert back.choice == model.choice
    assert json.loads(json.dumps(back.choice.to_dict())) == back.choice.to_dict()
    assert Choice.from_dict(back.choice.to_dict()) == back.choice


def test_the_sentence_names_the_learners_and_the_evidence(found):
    text = found[0].to_text()
    assert "boosted trees" in text
    assert f"{found[0].log_loss:.4f}" in text
    assert "250 customers" in text


def test_learners_without_their_columns_are_passed_over(dataset, quick):
    kept = [place for place, name in enumerate(dataset.names) if "churn_risk" not in name]
    bare = replace(
        dataset, X=dataset.X[:, kept], names=tuple(dataset.names[place] for place in kept)
    )
    choice = chosen(bare, quick)
    assert list(choice.passed_over) == ["btyd"]
    assert "btyd" not in choice.weights


def test_a_kind_that_there_is_not_is_named(dataset, quick):
    with pytest.raises(RecipeError, match="oracle"):
        chosen(dataset, replace(quick, choice=replace(quick.choice, kinds=("oracle",))))
