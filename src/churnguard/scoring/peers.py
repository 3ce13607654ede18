"""What is usual among customers: medians that a bundle carries, so that a reason can compare.

Only aggregates of at least 20 customers are kept; a group that is smaller has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

LEAST_CUSTOMERS = 20
EVERYBODY = "everybody"
"""The group of all customers, beside the segments."""


def medians(
    values: NDArray[np.float64], names: Sequence[str], *, least: int = LEAST_CUSTOMERS
) -> dict[str, float]:
    """Return each signal's median over the customers who have it.

    Parameters
    ----------
    values : ndarray of float64, shape (n, p)
        Signals, one row a customer; NaN is missing.
    names : sequence of str
        The p signals.
    least : int
        A signal that fewer customers have is left out.

    Examples
    --------
    >>> medians(np.array([[1.0, 5.0], [2.0, np.nan], [9.0, np.nan]]), ["a", "b"], least=2)
    {'a': 2.0}
    """
    known = (~np.isnan(values)).sum(axis=0)
    return {
        name: float(np.nanmedian(column))
        for name, column, count in zip(names, values.T, known.tolist(), strict=True)
        if count >= least
    }


def medians_by_group(
    values: NDArray[np.float64], names: Sequence[str], groups: Sequence[str | None]
) -> dict[str, dict[str, float]]:
    """Return the medians of each group's customers, by group and signal.

    Parameters
    ----------
    values, names
        As in :func:`medians`.
    groups : sequence of str or None
        Each customer's group; those with None are in none.

    Examples
    --------
    >>> medians_by_group(np.ones((21, 1)), ["a"], ["loyal"] * 20 + ["new"])
    {'loyal': {'a': 1.0}}
    """
    of = np.array([group or "" for group in groups])
    found = {
        group: medians(values[of == group], names) for group in sorted({g for g in groups if g})
    }
    return {group: usual for group, usual in found.items() if usual}


def usual_customer(peers: Mapping[str, float], names: Sequence[str]) -> NDArray[np.float64]:
    """Return a made-up customer who has the median of everybody in every signal, shape (p,).

    Examples
    --------
    >>> usual_customer({"a": 2.0}, ["a", "b"]).tolist()
    [2.0, nan]
    """
    return np.array([peers.get(name, np.nan) for name in names], dtype=np.float64)
