"""Kinds of learners behind one interface: rows in, raw log-odds and their exact parts out.

A scorer is what a bundle serves. It knows nothing of calibration; it is additive, so that what each
signal adds can be told exactly. A kind is an entry in :data:`KINDS`, found by its name in
``scorer.json``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from churnguard.errors import BundleMismatch, RecipeError
from churnguard.training.dataset import Dataset, Mask
from churnguard.training.recipe import Recipe

Floats = NDArray[np.float64]

_LEVEL_CLOSE = 1e-11


class Scorer(Protocol):
    """A fitted learner."""

    def margins(self, X: Floats) -> Floats:
        """Return raw log-odds of churn, shape (n,), for rows of shape (n, p)."""

    def contributions(self, X: Floats) -> Floats:
        """Return what each signal adds, shape (n, p + 1), the last column being the base."""

    def save(self, folder: Path) -> Mapping[str, Any]:
        """Write the files it needs below ``folder`` and return what ``scorer.json`` must say."""


FitScorer = Callable[..., Scorer]
"""``fit(dataset, recipe, *, seeds, threads)``."""
FitPart = Callable[[Mask], Scorer]
"""``fit(rows)``: one model, of some rows of a dataset."""
LoadScorer = Callable[[Path, Mapping[str, Any], Sequence[str]], Scorer]
"""``load(folder, values, names)``."""


@dataclass(frozen=True)
class Kind:
    """Where a kind of learner lives; it is imported when first used.

    ``parts`` is for a kind that is fitted to many parts of the same rows faster than to each alone.
    """

    module: str
    fit: str
    load: str
    parts: str = ""

    def fitter(self) -> FitScorer:
        """Return ``fit(dataset, recipe, *, seeds, threads) -> Scorer``."""
        fitter: FitScorer = getattr(import_module(self.module), self.fit)
        return fitter

    def loader(self) -> LoadScorer:
        """Return ``load(folder, values, names) -> Scorer``."""
        loader: LoadScorer = getattr(import_module(self.module), self.load)
        return loader


_LINEAR = "churnguard.training.linear"

KINDS: Mapping[str, Kind] = {
    "auto": Kind("churnguard.training.blend", "fit_auto", "load_auto"),
    "boosted": Kind("churnguard.training.boosted", "fit_boosted", "load_boosted", "boosted_parts"),
    "linear": Kind(_LINEAR, "fit_linear", "load_linear"),
    "btyd": Kind(_LINEAR, "fit_btyd", "load_linear"),
    "rhythm": Kind(_LINEAR, "fit_rhythm", "load_linear"),
}
"""Every kind of learner by name: ``auto`` is a weighted sum of the others by evidence; they stand
from the one that needs most data to the one that needs least."""


def fit_scorer(
    dataset: Dataset, recipe: Recipe, *, seeds: int | None = None, threads: int = 2
) -> Scorer:
    """Fit the recipe's kind of learner.

    Parameters
    ----------
    dataset : Dataset
        All of it is learned from.
    recipe : Recipe
        Names the kind.
    seeds : int, optional
        Models to average, where fewer than the recipe's will do.
    threads : int
        Parts fitted at the same time; the result does not depend on it.

    Raises
    ------
    RecipeError
        If there is no such kind.
    """
    return _kind(recipe).fitter()(dataset, recipe, seeds=seeds, threads=threads)


def part_fitter(dataset: Dataset, recipe: Recipe, *, smallest: int) -> FitPart:
    """Return what fits one model of the recipe's kind to some rows of a dataset.

    Parameters
    ----------
    dataset : Dataset
        The rows of which parts are learned from.
    recipe : Recipe
        Names the kind.
    smallest : int
        How many rows the smallest part has.

    Raises
    ------
    RecipeError
        If there is no such kind.
    """
    kind = _kind(recipe)
    if kind.parts:
        fit: FitPart = getattr(import_module(kind.module), kind.parts)(
            dataset, recipe, smallest=smallest
        )
        return fit
    return lambda rows: kind.fitter()(dataset.take(rows), recipe, seeds=1, threads=1)


def _kind(recipe: Recipe) -> Kind:
    if recipe.kind not in KINDS:
        raise RecipeError(
            f"The key 'kind' of the recipe names no learner: '{recipe.kind}'.",
            hint=f"There is {', '.join(KINDS)}.",
        )
    return KINDS[recipe.kind]


def load_scorer(folder: Path, values: Mapping[str, Any], names: Sequence[str]) -> Scorer:
    """Read a scorer back from a bundle's folder.

    Raises
    ------
    BundleMismatch
        If the kind is unknown to this version.
    """
    kind = str(values.get("kind"))
    if kind not in KINDS:
        raise BundleMismatch(
            f"The bundle's scorer is of the kind '{kind}', which this version does not know.",
            hint="Serve it with the ChurnGuard that made it, or train and promote a new one.",
        )
    return KINDS[kind].loader()(folder, values, names)


def cutoff_levels(dataset: Dataset, start: Floats) -> Floats:
    """Return each row's start plus its cutoff's own level, so that season is not learned as signal.

    Parameters
    ----------
    dataset : Dataset
        Rows and labels.
    start : ndarray of float64, shape (n,)
        Log-odds to start from.

    Returns
    -------
    ndarray of float64, shape (n,)
        ``start`` moved so that, at each cutoff, the mean risk is the churn rate.
    """
    moved = np.array(start, dtype=np.float64)
    for cutoff in np.unique(dataset.cutoffs):
        mine = dataset.cutoffs == cutoff
        moved[mine] += level(start[mine], dataset.y[mine])
    return moved


def level(margin: Floats, y: NDArray[np.int8]) -> float:
    """Return the shift of log-odds with which the mean risk equals the churn rate.

    Rates of 0 and 1 are pulled in by half a customer. Newton's method on the log-odds of the mean
    risk, which rise nearly as the shift does; within -30 and 30, halved where a step leaves what is
    known to hold the answer.

    Parameters
    ----------
    margin : ndarray of float64, shape (n,)
        Log-odds.
    y : ndarray of int8, shape (n,)
        Outcomes.

    Examples
    --------
    >>> round(level(np.zeros(4), np.array([1, 1, 1, 0], np.int8)), 3)
    0.847
    """
    from scipy.special import expit

    target = (float(y.sum()) + 0.5) / (len(y) + 1.0)
    wanted = math.log(target / (1.0 - target))
    low, high, at = -30.0, 30.0, 0.0
    for _ in range(60):
        risk = expit(margin + at)
        mean = float(risk.sum()) / len(risk)
        if not 0.0 < mean < 1.0:
            step = math.copysign(math.inf, target - mean)
        else:
            rise = mean - float(risk @ risk) / len(risk)
            off = wanted - math.log(mean / (1.0 - mean))
            step = off * mean * (1.0 - mean) / max(rise, 1e-300)
        low, high = (at, high) if step > 0 else (low, at)
        following = at + step
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - at) < _LEVEL_CLOSE:
            return following
        at = following
    return at
