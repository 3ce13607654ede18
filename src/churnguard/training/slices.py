"""Slices: groups of customers in whom a model must hold as well as on the whole.

They follow the meanings of the segments, but overlap: somebody may be new, one-time and of high
value at once. A slice looks at signals only, so it holds the same customers for every model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from churnguard.training.dataset import Dataset

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

NEW_DAYS = 30
HIGH_VALUE_MULTIPLE = 3.0

MEANINGS: Mapping[str, str] = {
    "one-time": "one order so far",
    "new": f"first order at most {NEW_DAYS} days ago",
    "high value": f"net spend of the past year at least {HIGH_VALUE_MULTIPLE:g} times the mean",
    "dormant": "no order for half of the look-back or longer",
}
"""Every slice, in words."""


def slices(rows: Dataset, *, look_back_days: int) -> Mapping[str, Mask]:
    """Return which rows of one cutoff are in which slice.

    Parameters
    ----------
    rows : Dataset
        The n rows of one cutoff.
    look_back_days : int
        How recent an order must be to be eligible; half of it makes a customer dormant.

    Returns
    -------
    mapping of str to ndarray of bool, shape (n,)
        By name of :data:`MEANINGS`; a slice whose column is missing is left out, and a row whose
        value is missing is in no slice of it.

    Examples
    --------
    >>> rows = Dataset(np.array([[1.0], [3.0]]), ("orders_total",), np.array([0, 1], np.int8),
    ...                np.array(["a", "b"]), np.zeros(2, np.int64))
    >>> slices(rows, look_back_days=365)
    {'one-time': array([ True, False])}
    """
    spend = rows.column("net_spend_365d")
    least = HIGH_VALUE_MULTIPLE * _mean(spend)
    found = {
        "one-time": _where(rows, "orders_total", lambda x: x == 1),
        "new": _where(rows, "days_since_first_order", lambda x: x <= NEW_DAYS),
        "high value": _where(rows, "net_spend_365d", lambda x: (x >= least) & (x > 0)),
        "dormant": _where(rows, "days_since_order", lambda x: x >= look_back_days / 2),
    }
    return {name: mask for name, mask in found.items() if mask is not None}


def _where(rows: Dataset, column: str, holds: Callable[[Floats], Mask]) -> Mask | None:
    values = rows.column(column)
    return None if values is None else holds(values)


def _mean(spend: Floats | None) -> float:
    known = spend[~np.isnan(spend)] if spend is not None else np.empty(0)
    return float(np.maximum(known, 0.0).mean()) if len(known) else 0.0
