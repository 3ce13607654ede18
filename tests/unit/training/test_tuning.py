"""Tuning looks only at what the backtest will not judge, and goes on where it stopped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from churnguard.errors import NotEnoughHistory, RecipeError
from churnguard.training.recipe import Recipe
from churnguard.training.tuning import SPACES, TIMES, time_folds, tune


@pytest.fixture(scope="module")
def dataset(make_dataset):
    """A smaller shop than the room's: a search fits many models."""
    return make_dataset(customers=90, cutoffs=10)


@pytest.fixture
def before(dataset):
    """The oldest cutoff that a backtest would judge."""
    return int(np.unique(dataset.cutoffs)[-2])


def test_folds_are_in_time_order_and_share_no_customer(dataset, before):
    """What is learned was known at the judged cutoff; nothing reaches the reported backtest."""
    steps = time_folds(dataset, before_us=before, seed=1)
    assert 2 <= len(steps) <= TIMES
    for step in steps:
        assert step.cutoff_us + dataset.horizon_us <= before
        for fold in step.folds:
            learn, judge = dataset.take(fold.learn), dataset.take(fold.judge)
            assert (learn.cutoffs + dataset.horizon_us <= step.cutoff_us).all()
            assert (judge.cutoffs == step.cutoff_us).all()
            assert not set(learn.customer_ids) & set(judge.customer_ids)
        judged = sum(int(fold.judge.sum()) for fold in step.folds)
        assert judged == (dataset.cutoffs == step.cutoff_us).sum()


def test_later_labels_change_nothing(dataset, quick, before, tmp_path):
    """Rows whose outcome was open at the first judged cutoff have no part in what is found."""
    late = ~dataset.mature(until_us=before)
    other = replace(dataset, y=np.where(late, 1 - dataset.y, dataset.y))
    found, again = (
        tune(data, quick, trials=3, before_us=before, file=tmp_path / name)
        for data, name in ((dataset, "a"), (other, "b"))
    )
    assert late.any()
    assert found.trials == again.trials


def test_a_study_goes_on_as_if_it_had_never_stopped(dataset, quick, before, tmp_path):
    """2 and then 5 trials are the 5 trials of one go; what is there is not tried again."""
    once = tune(dataset, quick, trials=5, before_us=before, file=tmp_path / "once")
    tune(dataset, quick, trials=2, before_us=before, file=tmp_path / "twice")
    told: list[int] = []
    twice = tune(
        dataset,
        quick,
        trials=5,
        before_us=before,
        file=tmp_path / "twice",
        progress=lambda done, _of: told.append(done),
    )
    assert told == [*range(2, 5), 5]
    assert twice.to_dict() == once.to_dict()


def test_a_trial_that_was_cut_off_is_tried_again(dataset, quick, before, tmp_path):
    """An interrupted run leaves an open trial behind; the next run is not led astray by it."""

    def stop(done: int, _of: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    options = {"trials": 3, "before_us": before}
    with pytest.raises(KeyboardInterrupt):
        tune(dataset, quick, file=tmp_path / "cut", progress=stop, **options)
    whole = tune(dataset, quick, file=tmp_path / "whole", **options)
    assert tune(dataset, quick, file=tmp_path / "cut", **options).trials == whole.trials


def test_other_rows_are_another_study(dataset, quick, before, tmp_path):
    tune(dataset, quick, trials=2, before_us=before, file=tmp_path / "studies")
    fewer = dataset.take(np.arange(len(dataset)) % 10 != 0)
    found = tune(fewer, quick, trials=1, before_us=before, file=tmp_path / "studies")
    assert len(found.trials) == 1


def test_a_poor_recipe_is_mended(dataset, quick, before, tmp_path):
    """The first trial is the recipe itself; a far better one is found and stands in the recipe."""
    poor = replace(
        quick,
        signals=replace(quick.signals, start=""),
        boosted=replace(quick.boosted, trees=1, learning_rate=0.001),
    )
    found = tune(dataset, poor, trials=6, before_us=before, file=tmp_path / "study")
    own, best = found.trials[0], found.best
    assert own.values["learning_rate"] == 0.001
    assert best.log_loss < own.log_loss - 0.005
    assert found.recipe.boosted.learning_rate == best.values["learning_rate"]
    assert found.recipe.boosted.leaves == best.values["leaves"]
    assert Recipe.from_dict(found.recipe.to_dict()) == found.recipe
    assert replace(found.recipe, boosted=poor.boosted) == poor
    assert "by the recipe" in found.to_text()


def test_one_trial_leaves_the_recipe_as_it_is(dataset, quick, before, tmp_path):
    found = tune(dataset, quick, trials=1, before_us=before, file=tmp_path / "study")
    assert found.recipe == quick
    assert "as it is" in found.to_text()


def test_hopeless_trials_are_stopped_early(dataset, before, tmp_path):
    """After the first eight, a trial worse than the median at the first cutoff ends there."""
    recipe = replace(Recipe(), boosted=replace(Recipe().boosted, trees=10, seeds=1))
    found = tune(dataset, recipe, trials=14, before_us=before, file=tmp_path / "study")
    stopped = [trial for trial in found.trials if trial.log_loss is None]
    assert stopped
    assert min(trial.number for trial in stopped) >= 8


@pytest.mark.parametrize("kind", list(SPACES))
def test_the_default_recipe_lies_within_the_space(kind):
    """The search begins where the defaults are, so they must be points of the space."""
    space, recipe = SPACES[kind], replace(Recipe(), kind=kind)
    own = space.own(recipe)
    assert {name: one.nearest(own[name]) for name, one in space.ranges.items()} == own
    assert space.changed(recipe, own) == recipe


def test_the_docs_tell_the_space(repo_root):
    """Every number that is searched stands in docs/python.md with its ends."""
    page = (repo_root / "docs" / "python.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip(" `") for cell in line.split("|")[1:-1]]
        for line in page.splitlines()
        if line.startswith(("| boosted |", "| linear |"))
    ]
    told = {(kind, name): (float(low), float(high)) for kind, name, low, high in rows}
    for (kind, name), ends in told.items():
        one = SPACES[kind].ranges["way" if " x " in name else name]
        assert (one.low, one.high) == ends
    assert len(told) == sum(len(space.ranges) for space in SPACES.values())


def test_a_kind_without_numbers_is_refused(dataset, before, tmp_path):
    with pytest.raises(RecipeError, match="nothing to tune"):
        tune(dataset, replace(Recipe(), kind="btyd"), trials=1, before_us=before, file=tmp_path)


def test_a_young_shop_is_told(dataset, tmp_path):
    first = int(dataset.cutoffs.min())
    with pytest.raises(NotEnoughHistory, match="too little history to tune"):
        tune(dataset, Recipe(), trials=1, before_us=first, file=tmp_path / "study")
