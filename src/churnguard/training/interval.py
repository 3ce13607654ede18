"""A 90 % interval for the churn rate among customers with this score.

Three things can be off: the map's shape, the level of the next cutoff, and the shape then. The
shape's error is a small Gaussian process over the margin (C. Rasmussen, C. Williams: "Gaussian
Processes for Machine Learning", 2006, ch. 2): a slope and wiggles, known where bins of cross-fitted
margins have many customers, and left to the prior at the ends of a small shop's range. The table
holds aggregates of at least 20 customers, never rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from churnguard.training.dataset import Dataset
from churnguard.training.recipe import IntervalRecipe
from churnguard.training.scorers import level

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class IntervalTable:
    """Bounds in log-odds at some margins, linear in between and parallel outside.

    Attributes
    ----------
    margins : tuple of float
        Where the bounds are told, rising: across the bins and as far again beyond the last ones as
        anybody's margin is likely to lie.
    low, high : tuple of float
        Bounds there, rising; ``low <= margin <= high``.
    customers : tuple of int
        Customers of each bin.
    level : float
        What share of intervals should hold.
    """

    margins: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    customers: tuple[int, ...]
    level: float

    def bounds(self, margins: Floats) -> Floats:
        """Return lower and upper bound of the churn rate, shape (n, 2).

        Monotone in the margin, and never without the risk itself.
        """
        at, bounds = self._table
        low, high = special.expit(_follow(margins, at, bounds))
        risk = special.expit(margins)
        return np.column_stack([np.minimum(low, risk), np.maximum(high, risk)])

    @cached_property
    def _table(self) -> tuple[Floats, Floats]:
        return np.array(self.margins), np.array([self.low, self.high])

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        values = {of.name: getattr(self, of.name) for of in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> IntervalTable:
        """Read what :meth:`to_dict` returned."""
        return cls(
            margins=tuple(float(value) for value in values["margins"]),
            low=tuple(float(value) for value in values["low"]),
            high=tuple(float(value) for value in values["high"]),
            customers=tuple(int(value) for value in values["customers"]),
            level=float(values["level"]),
        )


def fit_intervals(
    margins: Floats, dataset: Dataset, recipe: IntervalRecipe, *, level_sd: float
) -> IntervalTable:
    """Make the table from cross-fitted, calibrated margins.

    Parameters
    ----------
    margins : ndarray of float64, shape (n,)
        Calibrated by each cutoff's own level, so that only the map's shape is judged here.
    dataset : Dataset
        The rows.
    recipe : IntervalRecipe
        Bins and level.
    level_sd : float
        How far the next cutoff's level may be off.
    """
    bins = _bins(margins, dataset, recipe)
    seen = _Seen.of(margins, dataset, bins)
    at = np.linspace(seen.middles[0] - _BEYOND, seen.middles[-1] + _BEYOND, _POINTS)
    off, shape_sd = _shape(seen, at)
    later = _LATER_SLOPE_SD * (at - seen.center)
    reach = float(special.ndtri(0.5 + recipe.level / 2)) * np.sqrt(
        shape_sd**2 + later**2 + level_sd**2
    )
    below = np.minimum(at + off - reach, at)
    above = np.maximum(at + off + reach, at)
    return IntervalTable(
        margins=tuple(at.tolist()),
        low=tuple(np.maximum.accumulate(below).tolist()),
        high=tuple(np.minimum.accumulate(above[::-1])[::-1].tolist()),
        customers=seen.customers,
        level=recipe.level,
    )


# In log-odds. Widths are set by how far groups were off, in simulated shops and in the public ones
# that benchmarks/intervals.py calls looked at.
_BEYOND = 2.0
_POINTS = 33
_SLOPE_SD = 0.3
_WIGGLE_LENGTH = 1.0
_WIGGLE_SD = 0.25
_LATER_SLOPE_SD = 0.09


@dataclass(frozen=True)
class _Seen:
    """What bins of margins say about the shape: how far off each is, and how surely."""

    middles: Floats
    off: Floats
    variance: Floats
    center: float
    customers: tuple[int, ...]

    @classmethod
    def of(cls, margins: Floats, dataset: Dataset, bins: list[NDArray[np.int64]]) -> _Seen:
        risk = special.expit(margins)
        told = np.array([float((risk[rows] * (1 - risk[rows])).sum()) for rows in bins])
        effect = _design_effect(dataset.y - risk, dataset.customers, bins, told)
        return cls(
            middles=np.array([margins[rows].mean() for rows in bins]),
            off=np.array([level(margins[rows], dataset.y[rows]) for rows in bins]),
            variance=effect / np.maximum(told, 1e-3),
            center=float(margins.mean()),
            customers=tuple(len(np.unique(dataset.customers[rows])) for rows in bins),
        )


def _design_effect(
    error: Floats, customers: NDArray[np.int64], bins: list[NDArray[np.int64]], told: Floats
) -> float:
    """Return how many rows of a bin tell as much as one that stood alone would; 1 or more.

    Rows of one customer at several cutoffs look at overlapping time and tell much the same story.
    """
    squares = [float((np.bincount(customers[rows], error[rows]) ** 2).sum()) for rows in bins]
    return max(sum(squares) / max(float(told.sum()), 1e-9), 1.0)


def _shape(seen: _Seen, at: Floats) -> tuple[Floats, Floats]:
    """Return how far the map is off at some margins, and the standard deviation of that."""

    def kernel(left: Floats, right: Floats) -> Floats:
        apart = (left[:, None] - right[None, :]) / _WIGGLE_LENGTH
        tilt = (left - seen.center)[:, None] * (right - seen.center)[None, :]
        return np.asarray(_WIGGLE_SD**2 * np.exp(-(apart**2) / 2) + _SLOPE_SD**2 * tilt)

    inverse = np.linalg.inv(kernel(seen.middles, seen.middles) + np.diag(seen.variance))
    cross = kernel(at, seen.middles)
    known = np.einsum("ij,jk,ik->i", cross, inverse, cross)
    variance = np.diag(kernel(at, at)) - known
    return np.asarray(cross @ inverse @ seen.off), np.sqrt(np.maximum(variance, 0.0))


def _bins(margins: Floats, dataset: Dataset, recipe: IntervalRecipe) -> list[NDArray[np.int64]]:
    """Cut rows into equal-count bins by margin, fewer where a bin would hold too few customers."""
    order = np.argsort(margins, kind="stable")
    for count in range(recipe.bins, 1, -1):
        bins = np.array_split(order, count)
        enough = [len(np.unique(dataset.customers[rows])) >= recipe.min_customers for rows in bins]
        if all(enough):
            return bins
    return [order]


def _follow(margins: Floats, at: Floats, bounds: Floats) -> Floats:
    """Return bounds at each margin: linear between the table's margins, parallel outside."""
    inside = np.minimum(np.maximum(margins, at[0]), at[-1])
    if len(at) == 1:
        return np.asarray(bounds[:, :1] + (margins - at[0]))
    place = np.minimum(np.maximum(at.searchsorted(inside, side="right") - 1, 0), len(at) - 2)
    width = np.maximum(at[place + 1] - at[place], 1e-12)
    share = np.minimum(np.maximum((inside - at[place]) / width, 0.0), 1.0)
    left, right = bounds[:, place], bounds[:, place + 1]
    return np.asarray(left + (right - left) * share + (margins - inside))
