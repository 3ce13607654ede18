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

from churnguard.errors import BundleMismatch, RecipeError, SchemaError
from churnguard.training.dataset import Dataset
from churnguard.training.recipe import LinearRecipe, Recipe

Floats = NDArray[np.float64]

BTYD_COLUMNS = ("mbgnbd_churn_risk", "bgnbd_churn_risk")
RHYTHM_COLUMNS = ("days_since_order", "orders_per_month")

_PROBABILITY = "_churn_risk"
_SAFE = 1e-3
_BLOCK = 8_192  # rows at a time, so that what lies between stays small

# Levels are hardly held back: a column of 30 needs a thirtieth of the weight.
_LEVEL = 30.0
_MOST_STEPS, _CLOSE, _ROUNDING = 100, 1e-8, 1e-12


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
        fit = self._fit
        scaled = (_even(X, fit.columns, fit.odds) - fit.middles) / fit.spreads
        return np.asarray(np.where(np.isnan(scaled), 0.0, scaled) * fit.weights)


class _Fit(NamedTuple):
    """A fitted regression as arrays."""

    columns: NDArray[np.intp]
    odds: NDArray[np.intp]  # places among the columns
    middles: Floats
    spreads: Floats
    weights: Floats


def _even(X: Floats, columns: NDArray[np.intp], odds: NDArray[Any]) -> Floats:
    """Return some columns, squeezed, or as log-odds those of them that are probabilities."""
    values = X[:, columns]
    squeezed = squeeze(values)
    if len(odds):
        squeezed[:, odds] = log_odds(values[:, odds])
    return squeezed


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
    columns = np.array(_columns(dataset, recipe))
    odds = [place for place in columns.tolist() if dataset.names[place].endswith(_PROBABILITY)]
    scaled, middles, spreads = _standardised(dataset.X, columns, np.isin(columns, odds))
    weights, intercept = logistic(dataset, scaled, strength=recipe.linear.strength)
    return LinearScorer(
        columns=tuple(columns.tolist()),
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


def _standardised(
    X: Floats, columns: NDArray[np.intp], odds: NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats]:
    """Return columns with nothing missing, what was taken off, and what they were divided by.

    A large shop's rows are held once: block by block they are squeezed, moved and divided in place.
    """
    scaled = np.empty((len(X), len(columns)))
    blocks = [slice(at, at + _BLOCK) for at in range(0, len(X), _BLOCK)]
    count, total, squares = np.zeros((3, len(columns)))
    for rows in blocks:
        scaled[rows] = _even(X[rows], columns, np.flatnonzero(odds))
        count += (~np.isnan(scaled[rows])).sum(axis=0)
        total += np.nansum(scaled[rows], axis=0)
    middles = total / np.maximum(count, 1)
    for rows in blocks:
        scaled[rows] -= middles
        squares += np.nansum(scaled[rows] ** 2, axis=0)
    spreads = np.sqrt(squares / np.maximum(count, 1))
    spreads[spreads < 1e-9] = 1.0
    for rows in blocks:
        scaled[rows] /= spreads
        scaled[rows][np.isnan(scaled[rows])] = 0.0
    return scaled, middles, spreads


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
    cutoffs, places = np.unique(dataset.cutoffs, return_inverse=True)
    found = _Regression(scaled, places, len(cutoffs), dataset.y, strength).fitted()
    weights, levels = np.split(found, [scaled.shape[1]])
    rows = np.bincount(places) / len(places)
    return weights, float(_LEVEL * levels @ rows)


@dataclass(frozen=True)
class _Regression:
    """A logistic regression by Newton's method, whose rows are looked at block by block."""

    scaled: Floats
    places: NDArray[np.intp]  # each row's cutoff
    cutoffs: int
    y: NDArray[np.int8]
    strength: float

    def fitted(self) -> Floats:
        """Return the weights of columns and levels."""
        found = np.zeros(self.scaled.shape[1] + self.cutoffs)
        loss, slope, bend = self._bent(found)
        if not np.isfinite(slope).all():
            raise SchemaError("Rows cannot be learned from: a signal is infinite.")
        for _ in range(_MOST_STEPS):
            step = np.linalg.solve(bend, slope)
            gained = float(slope @ step)
            following = self._bent(found - step)
            while not following[0] <= loss + _ROUNDING * abs(loss) and gained > _CLOSE:
                step, gained = step / 2, gained / 4
                following = self._bent(found - step)
            found, (loss, slope, bend) = found - step, following
            if gained <= _CLOSE:
                break
        return found

    def _bent(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Return what is to be made small at some weights, its slope, and its curvature."""
        loss, slope, bend = float(theta @ theta) / 2, theta.copy(), np.eye(len(theta))
        level = _LEVEL * np.eye(self.cutoffs)
        for at in range(0, len(self.y), _BLOCK):
            rows = slice(at, at + _BLOCK)
            y, design = self.y[rows], np.hstack([self.scaled[rows], level[self.places[rows]]])
            margins = design @ theta
            risk = special.expit(margins)
            loss += self.strength * float(np.logaddexp(0.0, margins).sum() - y @ margins)
            slope += self.strength * ((risk - y) @ design)
            design *= np.sqrt(self.strength * risk * (1 - risk))[:, None]
            bend += design.T @ design
        return loss, slope, bend
