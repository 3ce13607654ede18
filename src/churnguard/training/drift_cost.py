"""What drift costs: customers whose outcome is known, with their signals broken in the same way.

The rows of today cannot tell, since their outcome is open. So the drift is done to rows whose
outcome is known: each drifted column is given today's distribution, rank by rank, and today's share
of missing values; then the model makes its list once more, and the churners on both are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Labels = NDArray[np.int8]


@dataclass(frozen=True)
class DriftCost:
    """What a list of the same length loses, carried over to today's number of customers.

    Attributes
    ----------
    listed : float
        Customers on the list.
    caught_before, caught_now : float
        Churners on it with whole signals, and with the drifted ones.
    worth : float
        Margin over the horizon expected from the churners lost, less that of those gained; money.
    """

    listed: float
    caught_before: float
    caught_now: float
    worth: float

    @property
    def missed(self) -> float:
        """Churners who are no longer on the list."""
        return self.caught_before - self.caught_now

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {**asdict(self), "missed": self.missed}


def drift_like(
    reference: Floats, current: Floats, columns: Sequence[int], *, seed: int = 1
) -> Floats:
    """Return the reference's rows with some columns drifted as the current ones are.

    Parameters
    ----------
    reference, current : ndarray of float64, shape (n, p) and (m, p)
        Rows; NaN where missing.
    columns : sequence of int
        What drifted.
    seed : int
        Chooses whose values are missing besides.

    Examples
    --------
    >>> drift_like(np.array([[1.0], [2.0]]), np.array([[100.0], [200.0]]), [0]).tolist()
    [[100.0], [200.0]]
    """
    rng = np.random.default_rng(seed)
    drifted = np.array(reference)
    for place in columns:
        known = ~np.isnan(reference[:, place])
        values = current[:, place]
        there = values[~np.isnan(values)]
        if not len(there):
            drifted[:, place] = np.nan
            continue
        ranks = (rankdata(reference[known, place]) - 0.5) / max(int(known.sum()), 1)
        drifted[known, place] = np.quantile(there, ranks, method="inverted_cdf")
        keep = min(1.0, (len(there) / len(values)) / max(float(known.mean()), 1e-9))
        drifted[rng.random(len(drifted)) >= keep, place] = np.nan
    return drifted


def drift_cost(
    margins: Callable[[Floats], Floats],
    reference: Floats,
    y: Labels,
    worth: Floats,
    *,
    current: Floats,
    columns: Sequence[int],
    listed: int,
) -> DriftCost:
    """Count the churners on the list with and without the drift.

    Parameters
    ----------
    margins : callable
        The model: rows to log-odds.
    reference : ndarray of float64, shape (n, p)
        Rows whose outcome is known.
    y : ndarray of int8, shape (n,)
        Their outcome.
    worth : ndarray of float64, shape (n,)
        Margin expected from each over the horizon, money.
    current : ndarray of float64, shape (m, p)
        Today's rows.
    columns : sequence of int
        What drifted.
    listed : int
        Length of the list among the reference's rows.
    """
    broken = drift_like(reference, current, columns)
    before, now = (
        np.argsort(-margins(rows), kind="stable")[:listed] for rows in (reference, broken)
    )
    scale = len(current) / len(reference)
    return DriftCost(
        listed=listed * scale,
        caught_before=float(y[before].sum()) * scale,
        caught_now=float(y[now].sum()) * scale,
        worth=float((y * worth)[before].sum() - (y * worth)[now].sum()) * scale,
    )
