"""How good an estimate of value was: error, ranking, and calibration by tenths of the customers.

Money has a long tail: a few customers are worth hundreds of others. One figure alone misleads, so
three are told beside each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from churnguard.errors import SchemaError

Floats = NDArray[np.float64]

TENTHS = 10


@dataclass(frozen=True)
class Tenth:
    """A tenth of the customers by expected value: what was expected of them, and what came."""

    customers: int
    expected: float
    actual: float


@dataclass(frozen=True)
class ValueFigures:
    """How expected and actual money of some customers compare.

    Attributes
    ----------
    customers : int
        How many.
    mae, rmse : float
        Mean absolute error, and root of the mean squared error, in money.
    rank_correlation : float
        Spearman's; NaN where one side is constant.
    total : float
        Sum of what was expected over the sum of what came.
    calibration : float
        Mean distance of the tenths' means, as a share of the mean that came.
    top_tenth : float
        Share of all that came which the tenth with the highest expectation brought.
    tenths : tuple of Tenth
        From the lowest expectation to the highest.
    """

    customers: int
    mae: float
    rmse: float
    rank_correlation: float
    total: float
    calibration: float
    top_tenth: float
    tenths: tuple[Tenth, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {**self.__dict__, "tenths": [tenth.__dict__ for tenth in self.tenths]}


def value_figures(actual: Floats, expected: Floats) -> ValueFigures:
    """Compare money that came with money that was expected.

    Parameters
    ----------
    actual, expected : ndarray of float64, shape (n,)
        By customer, n at least ten; no NaN.

    Raises
    ------
    SchemaError
        If there are fewer than ten customers, or a number is missing.

    Examples
    --------
    >>> actual = np.arange(20.0)
    >>> figures = value_figures(actual, actual + 1.0)
    >>> figures.mae, round(figures.rank_correlation, 6), figures.tenths[-1].actual
    (1.0, 1.0, 18.5)
    """
    if len(actual) < TENTHS or len(actual) != len(expected):
        raise SchemaError("Value is judged on ten customers or more, each with both numbers.")
    if np.isnan(actual).any() or np.isnan(expected).any():
        raise SchemaError("Value is judged on known numbers only; some are missing.")
    order = np.argsort(expected, kind="stable")
    tenths = tuple(
        Tenth(len(part), float(expected[part].mean()), float(actual[part].mean()))
        for part in np.array_split(order, TENTHS)
    )
    total, mean = float(actual.sum()), float(actual.mean())
    distance = float(np.mean([abs(tenth.expected - tenth.actual) for tenth in tenths]))
    return ValueFigures(
        customers=len(actual),
        mae=float(np.abs(actual - expected).mean()),
        rmse=float(np.sqrt(((actual - expected) ** 2).mean())),
        rank_correlation=_spearman(actual, expected),
        total=float(expected.sum()) / total if total else float("nan"),
        calibration=distance / mean if mean else float("nan"),
        top_tenth=tenths[-1].actual * tenths[-1].customers / total if total else float("nan"),
        tenths=tenths,
    )


def _spearman(one: Floats, other: Floats) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])
