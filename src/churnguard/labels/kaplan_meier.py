"""How many came back by when, although some could be watched only for a while: Kaplan-Meier.

A silence that is still open tells that nobody came back so far, not that nobody will. Leaving such
silences out, or counting them as lost, would both be wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ReturnCurve:
    """The estimated share that has come back, as a step function of days.

    Attributes
    ----------
    days : ndarray of float64, shape (k,)
        When somebody came back, rising, in days since they were called lost.
    returned : ndarray of float64, shape (k,)
        The share that has come back by then.
    spread : ndarray of float64, shape (k,)
        Greenwood's sum, ``sum(d / (n * (n - d)))``; infinite once everybody has come back.
    waited : ndarray of float64, shape (n,)
        How long each was watched, rising.
    """

    days: Floats
    returned: Floats
    spread: Floats
    waited: Floats

    def __len__(self) -> int:
        return len(self.waited)

    def watched(self, day: float) -> int:
        """Return how many had neither come back nor dropped out of sight before a day."""
        return len(self.waited) - int(np.searchsorted(self.waited, day, side="left"))

    def share(self, day: float) -> float:
        """Return the share that has come back by a day; 0 before the first."""
        place = int(np.searchsorted(self.days, day, side="right")) - 1
        return float(self.returned[place]) if place >= 0 else 0.0

    def interval(self, day: float, *, level: float = 0.9) -> tuple[float, float]:
        """Return lower and upper bound of the share that has come back by a day.

        The log(-log) transform of Greenwood's variance (J. D. Kalbfleisch, R. L. Prentice, "The
        Statistical Analysis of Failure Time Data", 2nd ed. 2002, section 1.4); where nobody or
        everybody has come back, the exact binomial bound of those still watched, or of all.

        Parameters
        ----------
        day : float
            Days since called lost.
        level : float
            Between 0 and 1.
        """
        place = int(np.searchsorted(self.days, day, side="right")) - 1
        tail = (1 - level) / 2
        if place < 0:
            return 0.0, 1.0 - tail ** (1 / max(self.watched(day), 1))
        stayed = 1.0 - float(self.returned[place])
        if stayed <= 0:
            return tail ** (1 / max(len(self), 1)), 1.0
        width = NormalDist().inv_cdf(1 - tail) * math.sqrt(self.spread[place]) / -math.log(stayed)
        return 1 - stayed ** math.exp(-width), 1 - stayed ** math.exp(width)


def kaplan_meier(waited: Floats, came_back: NDArray[np.bool_]) -> ReturnCurve:
    """Estimate the share that comes back, by the product-limit estimator.

    With ``n`` watched just before a day and ``d`` coming back on it, the share that stays away is
    the product of ``1 - d / n`` over the days so far (E. L. Kaplan, P. Meier, "Nonparametric
    estimation from incomplete observations", J. Am. Stat. Assoc. 53, 1958, 457-481). Its variance
    is M. Greenwood's ("The natural duration of cancer", 1926); one customer's silences count as
    independent of each other.

    Parameters
    ----------
    waited : ndarray of float64, shape (n,)
        Days until the return, or until the end of what is known.
    came_back : ndarray of bool, shape (n,)
        False where it is not known to have ended.

    Returns
    -------
    ReturnCurve

    Examples
    --------
    >>> curve = kaplan_meier(np.array([1.0, 2.0, 2.0, 5.0]), np.array([True, False, True, True]))
    >>> curve.days.tolist(), curve.returned.tolist()
    ([1.0, 2.0, 5.0], [0.25, 0.5, 1.0])
    """
    order = np.argsort(waited, kind="stable")
    watched_for, back = np.asarray(waited, dtype=np.float64)[order], came_back[order]
    days, returns = np.unique(watched_for[back], return_counts=True)
    watched = len(watched_for) - np.searchsorted(watched_for, days, side="left")
    stayed: Floats = np.cumprod(1 - returns / watched, dtype=np.float64)
    with np.errstate(divide="ignore"):
        spread = np.cumsum(returns / (watched * (watched - returns.astype(np.float64))))
    return ReturnCurve(days, np.asarray(1 - stayed), spread, watched_for)
