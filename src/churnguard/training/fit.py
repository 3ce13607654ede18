"""Fit a recipe: cross-fit, calibrate, then refit on everything mature with the map held fixed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US, from_us, iso
from churnguard.errors import NotEnoughHistory
from churnguard.training.calibration import Calibration, calibrate
from churnguard.training.choice import AUTO, Choice, choose, fit_chosen
from churnguard.training.crossfit import cross_fit
from churnguard.training.dataset import Dataset
from churnguard.training.interval import IntervalTable, fit_intervals
from churnguard.training.model import TrainedModel
from churnguard.training.one_core import one_core
from churnguard.training.recipe import NeedsRecipe, Recipe
from churnguard.training.scorers import cutoff_levels, fit_scorer

Floats = NDArray[np.float64]


def fit(dataset: Dataset, recipe: Recipe, *, until_us: int, threads: int = 2) -> TrainedModel:
    """Fit a model on the labels that were known at an instant.

    Parameters
    ----------
    dataset : Dataset
        Rows of any cutoffs; immature ones are not used.
    recipe : Recipe
        What to learn.
    until_us : int
        Only rows with ``cutoff + horizon <= until_us`` are learned from, microseconds UTC.
    threads : int
        Fits at the same time; the model depends neither on it nor on how many cores there are.

    Raises
    ------
    NotEnoughHistory
        If the mature rows are fewer than the recipe needs; says what there is, what is needed,
        and when it will do where that can be known.
    """
    known = dataset.take(dataset.mature(until_us=until_us))
    _refuse_thin(known, dataset, recipe.needs)
    with one_core():
        return _fitted(known, recipe, until_us=until_us, threads=threads)


def _fitted(known: Dataset, recipe: Recipe, *, until_us: int, threads: int) -> TrainedModel:
    choice: Choice | None = None
    if recipe.kind == AUTO:
        choice, raw = choose(known, recipe, until_us=until_us, threads=threads)
        scorer = fit_chosen(choice, known, recipe, threads=threads)
    else:
        raw = cross_fit(known, recipe, threads=threads)
        scorer = fit_scorer(known, recipe, threads=threads)
    calibration, table = _calibrated(raw, known, recipe, until_us=until_us)
    return TrainedModel(
        names=known.names, scorer=scorer, calibration=calibration, table=table, choice=choice
    )


def _calibrated(
    raw: Floats, known: Dataset, recipe: Recipe, *, until_us: int
) -> tuple[Calibration, IntervalTable]:
    calibration = calibrate(raw, known, recipe, until_us=until_us)
    leveled = cutoff_levels(known, calibration.slope * raw)
    table = fit_intervals(leveled, known, recipe.interval, level_sd=calibration.level_sd)
    return calibration, table


def _refuse_thin(known: Dataset, dataset: Dataset, needs: NeedsRecipe) -> None:
    """Stop where the mature rows cannot carry a model."""
    churned = int(known.y.sum())
    there = {
        "customers": len(known.people),
        "churned": churned,
        "stayed": len(known) - churned,
        "cutoffs": len(np.unique(known.cutoffs)),
    }
    wanted = {name: int(getattr(needs, name)) for name in there}
    short = {name for name in there if there[name] < wanted[name]}
    if not short:
        return
    if len(known) and min(there["churned"], there["stayed"]) == 0:
        outcome = "left" if there["churned"] else "stayed"
        raise NotEnoughHistory(
            f"All {there['customers']} customers {outcome}: with one outcome only there is "
            "nothing to tell apart.",
            hint="Try another --horizon, or ingest the orders that are missing.",
        )
    counts = ", ".join(
        f"{there[name]} {_WORDS[name]} (needed: {wanted[name]})" for name in sorted(short)
    )
    raise NotEnoughHistory(f"There is too little to learn from: {counts}.", hint=_when(dataset))


_WORDS = {
    "customers": "customers",
    "churned": "rows of customers who left",
    "stayed": "rows of customers who stayed",
    "cutoffs": "cutoffs with a known outcome",
}


def _when(dataset: Dataset) -> str:
    if not len(dataset):
        return "Ingest a longer history."
    full = int(dataset.cutoffs.max()) + dataset.horizon_days * DAY_US
    return (
        f"The outcome of every row at hand is known by {iso(from_us(full))}; a longer history or "
        "more customers help as well."
    )
