"""Every row's margin by a learner that saw neither the row's customer nor its time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from churnguard.training.dataset import Dataset, Mask
from churnguard.training.folds import Fold, cross_folds
from churnguard.training.recipe import Recipe
from churnguard.training.scorers import fit_scorer

Floats = NDArray[np.float64]


def cross_fit(dataset: Dataset, recipe: Recipe, *, threads: int = 2) -> Floats:
    """Return each row's raw margin by a model that saw neither its customer nor its time.

    Parameters
    ----------
    dataset : Dataset
        Mature rows.
    recipe : Recipe
        One seed a fold is enough here.
    threads : int
        Folds fitted at the same time.
    """
    grid = recipe.calibration
    folds = cross_folds(
        dataset,
        customer_folds=grid.customer_folds,
        time_blocks=grid.time_blocks,
        seed=recipe.seed,
    )

    def judge(fold: Fold) -> tuple[Mask, Floats]:
        scorer = fit_scorer(dataset.take(fold.learn), recipe, seeds=1, threads=1)
        return fold.judge, scorer.margins(dataset.X[fold.judge])

    margins = np.full(len(dataset), np.nan)
    with ThreadPoolExecutor(threads) as pool:
        for rows, found in pool.map(judge, folds):
            margins[rows] = found
    return margins
