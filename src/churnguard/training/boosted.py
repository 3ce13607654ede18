"""Gradient-boosted trees by LightGBM: several seeds, averaged into one text file of trees.

The average is made by dividing leaf values, so one ordinary LightGBM model gives the mean margin,
and its contributions stay exact. The trees may start from a churn probability that one signal
already is (BG/NBD's, say) and correct it; that signal's log-odds, times how far they are to be
believed (a logistic regression's slope), are then an exact part as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from churnguard.errors import BundleMismatch
from churnguard.training.dataset import Dataset, Mask
from churnguard.training.linear import logistic
from churnguard.training.one_row import OneRow
from churnguard.training.recipe import Recipe
from churnguard.training.scorers import FitPart, cutoff_levels

Floats = NDArray[np.float64]

MODEL_FILE = "models/trees.txt"

_SAFE = 1e-4


@dataclass(frozen=True)
class BoostedScorer:
    """Averaged trees, with or without a start.

    Attributes
    ----------
    booster : lightgbm.Booster
        Holds the averaged trees.
    text : str
        The same as LightGBM's text format: the truth that is saved.
    start : int or None
        Column whose value is a churn probability to start from.
    start_base : float
        Log-odds of that probability where it is missing, and what the base already holds of it.
    start_slope : float
        What those log-odds are multiplied by.
    """

    booster: Any
    text: str
    start: int | None
    start_base: float
    start_slope: float = 1.0

    def margins(self, X: Floats) -> Floats:
        """Return raw log-odds, shape (n,)."""
        if not len(X):
            return np.zeros(0)
        if len(X) == 1:
            return self._one_row.margin(np.ascontiguousarray(X, dtype=np.float64)) + self._start(X)
        trees = self.booster.predict(X, raw_score=True, num_threads=1)
        return np.asarray(trees, dtype=np.float64) + self._start(X)

    @cached_property
    def _one_row(self) -> OneRow:
        return OneRow(self.booster)

    def contributions(self, X: Floats) -> Floats:
        """Return exact parts of the margin (TreeSHAP for the trees), shape (n, p + 1)."""
        if not len(X):
            return np.zeros((0, X.shape[1] + 1))
        parts = np.array(self.booster.predict(X, pred_contrib=True, num_threads=1))
        if self.start is not None:
            base = self.start_slope * self.start_base
            parts[:, self.start] += self._start(X) - base
            parts[:, -1] += base
        return parts

    def save(self, folder: Path) -> Mapping[str, Any]:
        """Write the trees and return the scorer's description."""
        file = folder / MODEL_FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.text, encoding="utf-8")
        return {
            "kind": "boosted",
            "file": MODEL_FILE,
            "start": self.start,
            "start_base": self.start_base,
            "start_slope": self.start_slope,
        }

    def _start(self, X: Floats) -> Floats:
        if self.start is None:
            return np.zeros(len(X))
        return self.start_slope * start_margins(X[:, self.start], missing=self.start_base)


def start_margins(risk: Floats, *, missing: float) -> Floats:
    """Return the log-odds of a churn probability, kept off 0 and 1; ``missing`` for NaN."""
    margin = special.logit(np.clip(risk, _SAFE, 1 - _SAFE))
    return np.where(np.isnan(risk), missing, margin)


def fit_boosted(
    dataset: Dataset, recipe: Recipe, *, seeds: int | None = None, threads: int = 2
) -> BoostedScorer:
    """Fit averaged trees.

    Parameters
    ----------
    dataset : Dataset
        Rows to learn from, of one or more cutoffs. Each cutoff has its own level, so that trees
        learn what tells customers apart and not what time it was.
    recipe : Recipe
        ``signals`` and ``boosted`` are used.
    seeds : int, optional
        Models to average; the recipe's number when not given.
    threads : int
        Seeds fitted at the same time. Each uses one thread of LightGBM: on rows as few as these
        more are slower, and the trees would depend on how many there are.
    """
    rows = _binned(dataset, recipe, smallest=len(dataset))
    return _grown(rows, dataset, recipe, seeds=seeds or recipe.boosted.seeds, threads=threads)


def boosted_parts(dataset: Dataset, recipe: Recipe, *, smallest: int) -> FitPart:
    """Return what fits one model to some rows, all of which were put into bins once.

    Parameters
    ----------
    dataset : Dataset
        The rows of which parts are learned from.
    recipe : Recipe
        ``signals`` and ``boosted`` are used.
    smallest : int
        How many rows the smallest part has.
    """
    binned = _binned(dataset, recipe, smallest=smallest).construct()
    told = dataset.only([recipe.signals.start])

    def fit(part: Mask) -> BoostedScorer:
        rows = binned.subset(np.flatnonzero(part))
        scorer = _grown(rows, told.take(part), recipe, seeds=1, threads=1)
        start = None if scorer.start is None else dataset.names.index(recipe.signals.start)
        return replace(scorer, start=start)

    return fit


def _binned(dataset: Dataset, recipe: Recipe, *, smallest: int) -> Any:
    """Return LightGBM's own form of the rows, which it makes when first asked.

    Bins are laid by the rows alone, and drawn alike for all seeds.
    """
    import lightgbm

    parameters = _parameters(dataset.names, smallest, recipe) | {"data_random_seed": recipe.seed}
    return lightgbm.Dataset(
        _withheld(dataset, recipe), dataset.y, feature_name=list(dataset.names), params=parameters
    )


def _grown(
    rows: Any, dataset: Dataset, recipe: Recipe, *, seeds: int, threads: int
) -> BoostedScorer:
    """Grow trees on binned rows; the dataset tells labels, cutoffs and what to start from."""
    import lightgbm

    start, base = _start_of(dataset, recipe)
    init, slope = np.zeros(len(dataset)), 1.0
    if start is not None:
        init = start_margins(dataset.X[:, start], missing=base)
        slope = believed(init, dataset)
        init = slope * init
    rows.construct().set_init_score(cutoff_levels(dataset, init))
    parameters = _parameters(rows.feature_name, len(dataset), recipe)

    def grow(seed: int) -> str:
        own = parameters | {"seed": seed, "data_random_seed": recipe.seed}
        text: str = lightgbm.train(own, rows, recipe.boosted.trees).model_to_string()
        return text

    with ThreadPoolExecutor(threads) as pool:
        text = average(list(pool.map(grow, range(recipe.seed, recipe.seed + seeds))))
    return _from_text(text, start, base, slope)


def load_boosted(folder: Path, values: Mapping[str, Any], names: Sequence[str]) -> BoostedScorer:
    """Read averaged trees back from a bundle's folder.

    Raises
    ------
    BundleMismatch
        If the trees were made for other columns.
    """
    text = (folder / str(values["file"])).read_text(encoding="utf-8")
    start = None if values["start"] is None else int(values["start"])
    slope = float(values.get("start_slope", 1.0))
    scorer = _from_text(text, start, float(values["start_base"]), slope)
    if scorer.booster.feature_name() != list(names):
        raise BundleMismatch("The bundle's trees were made for other columns than it names.")
    return scorer


def load_booster(path: Path) -> Any:
    """Return the plain ``lightgbm.Booster`` of a file of trees."""
    import lightgbm

    return lightgbm.Booster(model_str=path.read_text(encoding="utf-8"))


def average(texts: Sequence[str]) -> str:
    """Put several LightGBM models together so that the sum of all trees is the models' mean.

    Parameters
    ----------
    texts : sequence of str
        Models in LightGBM's text format, fitted on the same columns.

    Returns
    -------
    str
        One model; leaf and inner values are divided by the number of models.
    """
    head, tail = _split(texts[0])[0], _split(texts[0])[2]
    trees = [tree for text in texts for tree in _split(text)[1]]
    blocks = [f"Tree={number}\n{_divided(tree, len(texts))}" for number, tree in enumerate(trees)]
    # Without this line LightGBM finds the trees by reading, not by byte positions.
    head = re.sub(r"^tree_sizes=.*\n", "", head, flags=re.MULTILINE)
    return head + "".join(blocks) + tail


def _split(text: str) -> tuple[str, list[str], str]:
    """Return a model's head, the bodies of its trees, and its tail."""
    body, end, tail = text.partition("end of trees\n")
    head, *trees = re.split(r"^Tree=\d+\n", body, flags=re.MULTILINE)
    return head, trees, end + tail


def _divided(tree: str, count: int) -> str:
    def divide(match: re.Match[str]) -> str:
        values = (repr(float(value) / count) for value in match[2].split())
        return match[1] + " ".join(values)

    return re.sub(r"^((?:leaf|internal)_value=)(.*)$", divide, tree, flags=re.MULTILINE)


def _from_text(text: str, start: int | None, base: float, slope: float) -> BoostedScorer:
    import lightgbm

    return BoostedScorer(lightgbm.Booster(model_str=text), text, start, base, slope)


def believed(start: Floats, dataset: Dataset) -> float:
    """Return the slope of the outcome on some log-odds, each cutoff having its own level.

    Between 0 and 1: a start that exaggerates is taken for as much as it tells, and trees need not
    take back what they were made to begin with.
    """
    weights, _ = logistic(dataset, start[:, None], strength=1.0)
    return float(np.clip(weights[0], 0.0, 1.0))


def _start_of(dataset: Dataset, recipe: Recipe) -> tuple[int | None, float]:
    """Return the column to start from, and its mean log-odds; None where it is of no use."""
    column = dataset.column(recipe.signals.start)
    if column is None or np.isnan(column).mean() > 0.5:
        return None, 0.0
    known = column[~np.isnan(column)]
    return dataset.names.index(recipe.signals.start), float(
        start_margins(known, missing=0.0).mean()
    )


def _withheld(dataset: Dataset, recipe: Recipe) -> Floats:
    """Return the rows with the columns that trees must not learn from made constant."""
    signals = recipe.signals
    hidden = {*signals.without, *signals.season, *signals.calendar}
    places = [place for place, name in enumerate(dataset.names) if name in hidden]
    X = np.array(dataset.X)
    X[:, places] = 0.0
    return X


def _parameters(names: Sequence[str], rows: int, recipe: Recipe) -> dict[str, Any]:
    trees, signals = recipe.boosted, recipe.signals
    signs = dict.fromkeys(signals.rising, 1) | dict.fromkeys(signals.falling, -1)
    return {
        "objective": "binary",
        "learning_rate": trees.learning_rate,
        "num_leaves": trees.leaves,
        "min_data_in_leaf": min(trees.min_rows, max(5, rows // 20)),
        "lambda_l2": trees.l2,
        "feature_fraction": trees.feature_share,
        "bagging_fraction": trees.row_share,
        "bagging_freq": 1,
        "monotone_constraints": [signs.get(name, 0) for name in names],
        "deterministic": True,
        "force_col_wise": True,  # a tree sees few columns: row-wise would fill all histograms
        "max_bin": 127,
        "num_threads": 1,
        "verbose": -1,
    }
