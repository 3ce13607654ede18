"""Every row's margin by a learner that saw neither the row's customer nor its time."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from churnguard.training.dataset import Dataset, Mask
from churnguard.training.folds import Fold, cross_folds
from churnguard.training.recipe import Recipe
from churnguard.training.scorers import part_fitter

Floats = NDArray[np.float64]


def folds_of(dataset: Dataset, recipe: Recipe) -> list[Fold]:
    """Return the folds by which a recipe cross-fits."""
    grid = recipe.calibration
    folds = cross_folds(
        dataset,
        customer_folds=grid.customer_folds,
        time_blocks=grid.time_blocks,
        seed=recipe.seed,
    )
    return list(folds)


def cross_fit(
    dataset: Dataset, recipe: Recipe, *, threads: int = 2, folds: Sequence[Fold] | None = None
) -> Floats:
    """Return each row's raw margin by a model that saw neither its customer nor its time.

    Parameters
    ----------
    dataset : Dataset
        Mature rows.
    recipe : Recipe
        One seed a fold is enough here.
    threads : int
        Folds fitted at the same time.
    folds : sequence of Fold, optional
        From :func:`folds_of`, where several learners are fitted to the same rows.
    """
    folds = folds_of(dataset, recipe) if folds is None else folds
    smallest = min((int(fold.learn.sum()) for fold in folds), default=0)
    fit = part_fitter(dataset, recipe, smallest=smallest)

    def judge(fold: Fold) -> tuple[Mask, Floats]:
        scorer = fit(fold.learn)
        return fold.judge, scorer.margins(dataset.take(fold.judge).X)

    margins = np.full(len(dataset), np.nan)
    with ThreadPoolExecutor(threads) as pool:
        for rows, found in pool.map(judge, folds):
            margins[rows] = found
    return margins
