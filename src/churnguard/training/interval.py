"""A 90 % interval for the churn rate among customers with this score.

Three things can be off: the map at this score (told by Venn-Abers: the isotonic rate if one more
customer stayed, and if one more churned), the sample it was learned from, and the level of the
next cutoff. The table holds aggregates of at least 20 customers, never rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from churnguard.training.dataset import Dataset
from churnguard.training.recipe import IntervalRecipe

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class IntervalTable:
    """Bounds in log-odds at some margins, linear in between and parallel outside.

    Attributes
    ----------
    margins : tuple of float
        Mean calibrated margin of each bin, rising.
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
        low = special.expit(_follow(margins, self.margins, self.low))
        high = special.expit(_follow(margins, self.margins, self.high))
        risk = special.expit(margins)
        return np.column_stack([np.minimum(low, risk), np.maximum(high, risk)])

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in self.__dict__.items()
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
    middle = np.array([margins[rows].mean() for rows in bins])
    churned = np.array([dataset.y[rows].sum() for rows in bins], dtype=np.float64)
    rows_each = np.array([len(rows) for rows in bins], dtype=np.float64)
    customers = np.array([len(np.unique(dataset.customer_ids[rows])) for rows in bins])
    # Rows of one customer at several cutoffs tell the same story: customers are what counts.
    share = customers / rows_each
    low, high = venn_abers(churned * share, customers.astype(np.float64))
    risk = special.expit(middle)
    sample = 1.0 / (customers * np.maximum(risk * (1 - risk), 1e-3))
    reach = float(special.ndtri(0.5 + recipe.level / 2)) * np.sqrt(sample + level_sd**2)
    below = np.minimum(special.logit(low), middle) - reach
    above = np.maximum(special.logit(high), middle) + reach
    return IntervalTable(
        margins=tuple(middle.tolist()),
        low=tuple(np.maximum.accumulate(below).tolist()),
        high=tuple(np.minimum.accumulate(above[::-1])[::-1].tolist()),
        customers=tuple(customers.tolist()),
        level=recipe.level,
    )


def venn_abers(churned: Floats, customers: Floats) -> tuple[Floats, Floats]:
    """Return each bin's isotonic churn rate with one more customer that stayed, or churned.

    Vovk, Petej: "Venn-Abers predictors" (UAI 2014), on counts; kept off 0 and 1.

    Examples
    --------
    >>> low, high = venn_abers(np.array([2.0, 8.0]), np.array([9.0, 9.0]))
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.2, 0.8], [0.3, 0.9])
    """
    low, high = np.empty(len(churned)), np.empty(len(churned))
    for place in range(len(churned)):
        more = np.zeros(len(churned))
        more[place] = 1.0
        low[place] = _isotonic(churned, customers + more)[place]
        high[place] = _isotonic(churned + more, customers + more)[place]
    return np.clip(low, 1e-3, 1 - 1e-3), np.clip(high, 1e-3, 1 - 1e-3)


def _isotonic(churned: Floats, customers: Floats) -> Floats:
    """Return rising rates by pooling neighbours that are in the wrong order."""
    pools: list[tuple[float, float, int]] = []
    for hits, count in zip(churned.tolist(), customers.tolist(), strict=True):
        pool = (hits, count, 1)
        while pools and pools[-1][0] * pool[1] >= pool[0] * pools[-1][1]:
            last = pools.pop()
            pool = (last[0] + pool[0], last[1] + pool[1], last[2] + pool[2])
        pools.append(pool)
    return np.concatenate([np.full(size, hits / count) for hits, count, size in pools])


def _bins(margins: Floats, dataset: Dataset, recipe: IntervalRecipe) -> list[NDArray[np.int64]]:
    """Cut rows into equal-count bins by margin, fewer where a bin would hold too few customers."""
    order = np.argsort(margins, kind="stable")
    for count in range(recipe.bins, 1, -1):
        bins = np.array_split(order, count)
        enough = [
            len(np.unique(dataset.customer_ids[rows])) >= recipe.min_customers for rows in bins
        ]
        if all(enough):
            return bins
    return [order]


def _follow(margins: Floats, at: tuple[float, ...], bound: tuple[float, ...]) -> Floats:
    """Return a bound at each margin: linear between the table's margins, parallel outside."""
    x, y = np.array(at), np.array(bound)
    inside = np.clip(margins, x[0], x[-1])
    place = np.clip(np.searchsorted(x, inside, side="right") - 1, 0, max(len(x) - 2, 0))
    if len(x) == 1:
        return np.asarray(y[0] + (margins - x[0]))
    width = np.maximum(x[place + 1] - x[place], 1e-12)
    share = np.clip((inside - x[place]) / width, 0.0, 1.0)
    return np.asarray(y[place] + (y[place + 1] - y[place]) * share + (margins - inside))
