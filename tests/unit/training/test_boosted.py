"""Averaged trees are one LightGBM model whose margin is the mean of its parts, exactly told."""

from __future__ import annotations

from dataclasses import replace

import lightgbm
import numpy as np
import pytest

from churnguard.training.boosted import average, boosted_parts, fit_boosted, load_booster


@pytest.fixture(scope="module")
def from_btyd(quick):
    """Give a recipe whose trees start from the lifetime model's risk."""
    return replace(quick, signals=replace(quick.signals, start="mbgnbd_churn_risk"))


@pytest.fixture(scope="module")
def scorer(dataset, from_btyd):
    return fit_boosted(dataset, from_btyd)


def test_average_is_the_mean_of_the_models(dataset):
    rows = lightgbm.Dataset(dataset.X, dataset.y)
    keys = {"verbose": -1, "num_leaves": 6, "num_threads": 1, "bagging_fraction": 0.5}
    models = [
        lightgbm.train({**keys, "bagging_freq": 1, "seed": seed}, rows, 15) for seed in (1, 2, 3)
    ]
    mean = np.mean([model.predict(dataset.X, raw_score=True) for model in models], axis=0)
    merged = lightgbm.Booster(model_str=average([model.model_to_string() for model in models]))
    assert merged.num_trees() == 45
    assert np.abs(merged.predict(dataset.X, raw_score=True) - mean).max() < 1e-12


def test_contributions_sum_to_the_margin(scorer, dataset):
    parts = scorer.contributions(dataset.X)
    assert parts.shape == (len(dataset), len(dataset.names) + 1)
    assert np.abs(parts.sum(axis=1) - scorer.margins(dataset.X)).max() < 1e-9


def test_trees_never_see_the_season(scorer, dataset):
    parts = scorer.contributions(dataset.X)
    for name in ("season_sin", "season_cos"):
        assert (parts[:, dataset.names.index(name)] == 0).all()


def test_a_missing_start_is_taken_at_its_mean(scorer, dataset):
    row = dataset.X[:1].copy()
    row[0, dataset.names.index("mbgnbd_churn_risk")] = np.nan
    assert np.isfinite(scorer.margins(row)).all()
    assert np.abs(scorer.contributions(row).sum() - scorer.margins(row)[0]) < 1e-9


def test_without_a_start_trees_do_it_alone(dataset, quick):
    recipe = replace(quick, signals=replace(quick.signals, start=""))
    alone = fit_boosted(dataset, recipe, seeds=1)
    assert alone.start is None
    assert (
        np.abs(alone.contributions(dataset.X).sum(axis=1) - alone.margins(dataset.X)).max() < 1e-9
    )


def test_the_same_data_give_the_same_trees_on_any_number_of_threads(dataset, quick):
    assert (
        fit_boosted(dataset, quick, threads=1).text == fit_boosted(dataset, quick, threads=3).text
    )


def test_a_rising_signal_never_lowers_the_risk(dataset, quick):
    recipe = replace(quick, signals=replace(quick.signals, rising=("noise",), start=""))
    scorer = fit_boosted(dataset, recipe, seeds=1)
    rows = np.repeat(dataset.X[:20], 9, axis=0)
    rows[:, dataset.names.index("noise")] = np.tile(np.linspace(-3, 3, 9), 20)
    assert (np.diff(scorer.margins(rows).reshape(20, 9), axis=1) >= -1e-12).all()


def test_the_saved_file_is_a_plain_booster(scorer, dataset, tmp_path):
    scorer.save(tmp_path)
    booster = load_booster(tmp_path / "models" / "trees.txt")
    assert booster.feature_name() == list(dataset.names)


def test_no_rows_give_no_margins(scorer, dataset):
    nothing = np.zeros((0, len(dataset.names)))
    assert scorer.margins(nothing).shape == (0,)
    assert scorer.contributions(nothing).shape == (0, len(dataset.names) + 1)


def test_a_part_learns_from_its_own_outcomes_only(dataset, from_btyd):
    """Rows are put into bins once for all folds; what others did is not known to any of them."""
    part = np.arange(len(dataset)) % 3 > 0
    turned = replace(dataset, y=np.where(part, dataset.y, 1 - dataset.y).astype(np.int8))
    smallest = int(part.sum())
    one, other = (
        boosted_parts(data, from_btyd, smallest=smallest)(part) for data in (dataset, turned)
    )
    assert one.text == other.text
    assert one.start == dataset.names.index("mbgnbd_churn_risk")
    alone = fit_boosted(dataset.take(part), from_btyd, seeds=1)
    off = one.margins(dataset.X) - alone.margins(dataset.X)
    assert np.abs(off).mean() < 0.05
    assert one.start_slope == alone.start_slope
