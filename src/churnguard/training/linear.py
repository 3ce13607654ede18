"""Logistic regression on squeezed, standardised signals; on one column, the small shop's learner.

Values are squeezed by sign(x) log(1 + |x|), churn probabilities are taken as log-odds, and missing
ones set to the middle. Every signal's part of the margin is exact. ``btyd`` is the same learner on
one column, ``rhythm`` on two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from churnguard.errors import BundleMismatch, RecipeError
from churnguard.training.dataset import Dataset
from churnguard.training.recipe import LinearRecipe, Recipe

Floats = NDArray[np.float64]

BTYD_COLUMNS = ("mbgnbd_churn_risk", "bgnbd_churn_risk")
RHYTHM_COLUMNS = ("days_since_order", "orders_per_month")

_PROBABILITY = "_churn_risk"
_SAFE = 1e-3
_BLOCK = 8_192  # rows at a time, so that what lies between stays small


@dataclass(frozen=True)
class LinearScorer:
    """A fitted logistic regression.

    Attributes
    ----------
    columns : tuple of int
        Places of the columns used.
    middles, spreads, weights : tuple of float
        What is taken off each squeezed column, what it is divided by, and its weight.
    intercept : float
        Log-odds of a customer in the middle of everything.
    width : int
        Columns that rows have.
    odds : tuple of int
        Those of ``columns`` whose values are probabilities, taken as log-odds.
    """

    columns: tuple[int, ...]
    middles: tuple[float, ...]
    spreads: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float
    width: int
    odds: tuple[int, ...] = ()

    def margins(self, X: Floats) -> Floats:
        """Return raw log-odds, shape (n,)."""
        blocks = [self._block(X[at : at + _BLOCK]) for at in range(0, len(X), _BLOCK)]
        return np.concatenate(blocks) if blocks else np.zeros(0)

    def contributions(self, X: Floats) -> Floats:
        """Return exact parts, shape (n, width + 1)."""
        parts = np.zeros((len(X), self.width + 1))
        for at in range(0, len(X), _BLOCK):
            parts[at : at + _BLOCK, self._fit.columns] = self._parts(X[at : at + _BLOCK])
        parts[:, -1] = self.intercept
        return parts

    def save(self, folder: Path) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the scorer's description; there is no further file."""
        return {"kind": "linear", **{of.name: getattr(self, of.name) for of in fields(self)}}

    @cached_property
    def _fit(self) -> _Fit:
        return _Fit(
            np.array(self.columns, dtype=np.intp),
            np.flatnonzero(np.isin(self.columns, self.odds)),
            *(np.array(values) for values in (self.middles, self.spreads, self.weights)),
        )

    def _block(self, X: Floats) -> Floats:
        # One after the other: a matrix product would round differently for one row and for many.
        start = np.full((len(X), 1), self.intercept)
        return np.add.accumulate(np.hstack([start, self._parts(X)]), axis=1)[:, -1]

    def _parts(self, X: Floats) -> Floats:
        """Return what each of the columns adds, shape (n, columns)."""
        fit, values = self._fit, X[:, self._fit.columns]
        squeezed = squeeze(values)
        if len(fit.odds):
            squeezed[:, fit.odds] = log_odds(values[:, fit.odds])
        scaled = (squeezed - fit.middles) / fit.spreads
        return np.asarray(np.where(np.isnan(scaled), 0.0, scaled) * fit.weights)


class _Fit(NamedTuple):
    """A fitted regression as arrays."""

    columns: NDArray[np.intp]
    odds: NDArray[np.intp]  # places among the columns
    middles: Floats
    spreads: Floats
    weights: Floats


def squeeze(values: Floats) -> Floats:
    """Return sign(x) log(1 + |x|), elementwise."""
    return np.asarray(np.copysign(special.log1p(np.abs(values)), values))


def log_odds(probability: Floats) -> Floats:
    """Return log-odds, elementwise, of probabilities kept off 0 and 1."""
    return np.asarray(special.logit(np.clip(probability, _SAFE, 1 - _SAFE)))


def fit_linear(
    dataset: Dataset,
    recipe: Recipe,
    *,
    seeds: int | None = None,  # noqa: ARG001
    threads: int = 1,  # noqa: ARG001
) -> LinearScorer:
    """Fit a logistic regression with a level of its own for each cutoff.

    Parameters
    ----------
    dataset : Dataset
        Rows to learn from.
    recipe : Recipe
        ``linear`` and ``signals`` are used.
    seeds, threads : int
        Not needed here; every kind is called alike.

    Raises
    ------
    RecipeError
        If none of the recipe's columns is in the dataset.
    """
    columns = _columns(dataset, recipe)
    odds = [place for place in columns if dataset.names[place].endswith(_PROBABILITY)]
    values = np.where(
        np.isin(columns, odds), log_odds(dataset.X[:, columns]), squeeze(dataset.X[:, columns])
    )
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    count = np.maximum(known.sum(axis=0), 1)
    middles = filled.sum(axis=0) / count
    spreads = np.sqrt(np.where(known, (values - middles) ** 2, 0.0).sum(axis=0) / count)
    spreads[spreads < 1e-9] = 1.0
    scaled = np.where(known, (values - middles) / spreads, 0.0)
    weights, intercept = logistic(dataset, scaled, strength=recipe.linear.strength)
    return LinearScorer(
        columns=tuple(columns),
        middles=tuple(middles.tolist()),
        spreads=tuple(spreads.tolist()),
        weights=tuple(weights.tolist()),
        intercept=intercept,
        width=len(dataset.names),
        odds=tuple(odds),
    )


def fit_btyd(dataset: Dataset, recipe: Recipe, **options: Any) -> LinearScorer:
    """Fit on the churn risk of the lifetime model alone."""
    return _fit_on_first(BTYD_COLUMNS, dataset, recipe, options)


def fit_rhythm(dataset: Dataset, recipe: Recipe, **options: Any) -> LinearScorer:
    """Fit on the silence and the customer's own pace of orders: in logs, silence by own rhythm.

    Unlike the ratio to the own usual gap, the pace is known of one-time buyers too.
    """
    return fit_linear(dataset, replace(recipe, linear=LinearRecipe(1.0, RHYTHM_COLUMNS)), **options)


def load_linear(
    folder: Path,  # noqa: ARG001
    values: Mapping[str, Any],
    names: Sequence[str],
) -> LinearScorer:
    """Read a logistic regression back from its description.

    Raises
    ------
    BundleMismatch
        If it was made for another number of columns.
    """
    if int(values["width"]) != len(names):
        raise BundleMismatch("The bundle's scorer was made for other columns than it names.")
    return LinearScorer(
        columns=tuple(int(place) for place in values["columns"]),
        middles=tuple(float(value) for value in values["middles"]),
        spreads=tuple(float(value) for value in values["spreads"]),
        weights=tuple(float(value) for value in values["weights"]),
        intercept=float(values["intercept"]),
        width=int(values["width"]),
        odds=tuple(int(place) for place in values.get("odds", ())),
    )


def _fit_on_first(
    columns: tuple[str, ...], dataset: Dataset, recipe: Recipe, options: Mapping[str, Any]
) -> LinearScorer:
    """Fit on the first of some columns that the dataset has, hardly held back."""
    there = tuple(name for name in columns if name in dataset.names)[:1] or columns[:1]
    return fit_linear(dataset, replace(recipe, linear=LinearRecipe(1.0, there)), **options)


def _columns(dataset: Dataset, recipe: Recipe) -> list[int]:
    signals = recipe.signals
    hidden = {*signals.without, *signals.season, *signals.calendar}
    wanted = recipe.linear.columns or dataset.names
    places = [
        place for place, name in enumerate(dataset.names) if name in wanted and name not in hidden
    ]
    if not places:
        raise RecipeError(
            f"The shop's events carry none of the columns {', '.join(wanted)}.",
            hint="Choose another kind of learner, or other columns under [linear].",
        )
    return places


def logistic(dataset: Dataset, scaled: Floats, *, strength: float) -> tuple[Floats, float]:
    """Return weights and intercept of a logistic regression with one free level a cutoff.

    Parameters
    ----------
    dataset : Dataset
        Outcomes and cutoffs.
    scaled : ndarray of float64, shape (n, p)
        Columns, in the rows' order; nothing missing.
    strength : float
        Inverse of the pull to 0.

    Returns
    -------
    ndarray of float64, shape (p,)
        Weights.
    float
        The levels' mean over the rows.
    """
    from sklearn.linear_model import LogisticRegression

    cutoffs, places = np.unique(dataset.cutoffs, return_inverse=True)
    # Levels are hardly held back: a column of 30 needs a thirtieth of the weight.
    levels = 30.0 * np.eye(len(cutoffs))[places]
    model = LogisticRegression(C=strength, solver="newton-cholesky", fit_intercept=False)
    model.fit(np.hstack([scaled, levels]), dataset.y)
    weights = model.coef_[0]
    rows = np.bincount(places) / len(places)
    return weights[: scaled.shape[1]], float(30.0 * weights[scaled.shape[1] :] @ rows)
