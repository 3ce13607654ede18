"""How likely a customer has quietly left, and how many orders to expect: "buy till you die" models.

BG/NBD (Fader, Hardie, Lee: "'Counting your customers' the easy way", Marketing Science 24(2), 2005)
and MBG/NBD (Batislam, Denizel, Filiztekin: "Empirical validation and comparison of models for
customer base analysis", Int. J. of Research in Marketing 24(3), 2007). BG/NBD lets a customer leave
only after a repeat order, so it calls every one-time buyer alive, however long ago they bought
(Batislam et al., section 2; Fader, Hardie: "Computing P(alive) using the BG/NBD model", 2008, where
P(alive) is 1 without a repeat order); MBG/NBD lets them leave after the first order too. All times
are in days. Closed forms are elementwise: one row gives the same bits as many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from churnguard.errors import NotEnoughHistory, SchemaError

Floats = NDArray[np.float64]

MIN_CUSTOMERS = 20
MIN_REPEAT_BUYERS = 10

_PRIOR_SD = 1.5
_PRIOR = {"r": 0.5, "a": 0.7, "b": 2.5}
_STARTS = (
    (0.0, 0.0, 0.0, 0.0),
    (0.7, 0.7, -0.7, 0.3),
    (-0.7, -0.7, 0.7, 0.7),
    (1.0, 1.0, -2.0, 0.0),
)
_BOUNDS = (1e-4, 1e6)


@dataclass(frozen=True)
class BgNbd:
    """A fitted BG/NBD model.

    Orders of a living customer are Poisson with a rate from Gamma(``r``, ``alpha``); after each
    repeat order the customer leaves with a probability from Beta(``a``, ``b``).

    Parameters
    ----------
    r : float or ndarray
        Shape of the order rate; an array has one a row.
    alpha : float or ndarray
        Scale of the order rate, in days.
    a, b : float or ndarray
        Shapes of the probability to leave.

    Examples
    --------
    Parameters published for the CDNOW sample, in weeks there; any unit of time will do:

    >>> model = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> round(float(model.expected_orders(2, 30.43, 38.86, 39)), 3)
    1.226
    """

    r: float | Floats
    alpha: float | Floats
    a: float | Floats
    b: float | Floats

    # The last factor of the odds of having left is a / (b + x - 1) in BG/NBD and a / (b + x) in
    # MBG/NBD; everything else in which the two differ follows from this shift.
    _shift: ClassVar[int] = 0

    def p_alive(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        """Return the probability that the customer has not left yet.

        Parameters
        ----------
        frequency : array_like
            Repeat orders: all orders less the first.
        recency : array_like
            Days from the first order to the last one; 0 for one-time buyers.
        age : array_like
            Days from the first order to now.

        Returns
        -------
        ndarray of float64
            Fader, Hardie, Lee: "Computing P(alive) using the BG/NBD model" (2008), eq. 4.

        Examples
        --------
        >>> model = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> model.p_alive([0, 2], [0, 30.43], [38.86, 38.86]).round(3).tolist()
        [1.0, 0.727]
        """
        x, recent, old = _rows(frequency, recency, age)
        return np.asarray(special.expit(-self._log_odds_left(x, recent, old)))

    def churn_risk(
        self,
        frequency: ArrayLike,
        recency: ArrayLike,
        age: ArrayLike,
        horizon: ArrayLike,
        *,
        alive: Floats | None = None,
    ) -> Floats:
        """Return the probability of no order in the next ``horizon`` days.

        Parameters
        ----------
        frequency, recency, age : array_like
            As in :meth:`p_alive`.
        horizon : array_like
            Days to look ahead.
        alive : ndarray of float64, optional
            What :meth:`p_alive` returned for these rows, where it is known already.

        Returns
        -------
        ndarray of float64
            1 - P(alive) x P(at least one order | alive); the rate of a living customer is
            Gamma(r + x, alpha + age), so no order comes with ((alpha + age) / (alpha + age +
            horizon)) ** (r + x).

        Examples
        --------
        >>> model = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> float(model.churn_risk(2, 30.43, 38.86, 0.0))
        1.0
        """
        x, recent, old = _rows(frequency, recency, age)
        ahead = np.asarray(horizon, dtype=np.float64)
        orders = -special.expm1(-(self.r + x) * special.log1p(ahead / (self.alpha + old)))
        stay = self.p_alive(x, recent, old) if alive is None else alive
        return np.asarray(1.0 - stay * orders)

    def expected_orders(
        self,
        frequency: ArrayLike,
        recency: ArrayLike,
        age: ArrayLike,
        horizon: ArrayLike,
        *,
        alive: Floats | None = None,
    ) -> Floats:
        """Return the number of orders expected in the next ``horizon`` days.

        Parameters
        ----------
        frequency, recency, age : array_like
            As in :meth:`p_alive`.
        horizon : array_like
            Days to look ahead.
        alive : ndarray of float64, optional
            What :meth:`p_alive` returned for these rows, where it is known already.

        Returns
        -------
        ndarray of float64
            Fader, Hardie, Lee (2005), eq. 10; for MBG/NBD the same with ``b + 1``. Its series is
            taken by Euler's transformation (DLMF 15.8.1): as printed, the two factors that are
            taken from 1 leave nothing but rounding of a customer with a hundred orders.

        Examples
        --------
        >>> daily = BgNbd(r=0.072, alpha=1.07, a=0.122, b=1.203)
        >>> round(float(daily.expected_orders(518, 612, 612, 90)), 2)
        75.39
        """
        x, recent, old = _rows(frequency, recency, age)
        ahead = np.asarray(horizon, dtype=np.float64)
        at_one = np.abs(self.a - 1.0) <= 1e-6  # a removable singularity
        a = np.where(at_one, 1.0 + 1e-6, self.a)
        stays = a + self.b + self._shift + x - 1.0
        longer = special.log1p(ahead / (self.alpha + old))
        factor = special.expm1((1.0 - a) * longer) + 1.0
        series = special.hyp2f1(
            stays - self.r - x, a - 1.0, stays, ahead / (self.alpha + old + ahead)
        )
        expected = stays / (a - 1.0) * (1.0 - factor * series)
        stay = self.p_alive(x, recent, old) if alive is None else alive
        return np.asarray(expected * stay)

    def _log_odds_left(self, x: Floats, recent: Floats, old: Floats) -> Floats:
        """Log of P(left) / P(alive); minus infinity where leaving is impossible."""
        last = self.b + x - 1.0 + self._shift
        possible = (x > 0) | (self._shift > 0)
        ratio = special.xlogy(1.0, self.a / np.where(possible, last, 1.0))
        silence = (self.r + x) * special.log1p((old - recent) / (self.alpha + recent))
        return np.where(possible, ratio + silence, -np.inf)


@dataclass(frozen=True)
class MbgNbd(BgNbd):
    """A fitted MBG/NBD model: as BG/NBD, but a customer may leave after the first order too.

    Examples
    --------
    >>> model = MbgNbd(r=0.525, alpha=6.183, a=0.891, b=1.614)
    >>> bool(model.p_alive(0, 0, 38.86) < 1)
    True
    """

    _shift: ClassVar[int] = 1


_Model = TypeVar("_Model", bound=BgNbd)


def fit_bgnbd(frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> BgNbd:
    """Fit BG/NBD by maximum likelihood with a weak prior.

    Parameters
    ----------
    frequency, recency, age : array_like
        One entry a customer, as in :meth:`BgNbd.p_alive`; days are rounded to whole ones for the
        fit.

    Returns
    -------
    BgNbd
        The prior (each parameter within a factor of about 4.5) decides in a small shop only.

    Raises
    ------
    NotEnoughHistory
        If there are too few customers, or too few of them ordered again.
    SchemaError
        If a row is impossible, such as a last order after today.

    Examples
    --------
    >>> model = fit_bgnbd([0, 1, 5] * 20, [0, 30, 200] * 20, [100, 200, 210] * 20)
    >>> bool(model.p_alive(5, 200, 210) > model.p_alive(1, 30, 200))
    True
    """
    return _fit(BgNbd, frequency, recency, age)


def fit_mbgnbd(frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> MbgNbd:
    """Fit MBG/NBD by maximum likelihood with a weak prior; see :func:`fit_bgnbd`."""
    return _fit(MbgNbd, frequency, recency, age)


def _rows(
    frequency: ArrayLike, recency: ArrayLike, age: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    return (
        np.asarray(frequency, dtype=np.float64),
        np.asarray(recency, dtype=np.float64),
        np.asarray(age, dtype=np.float64),
    )


def _fit(kind: type[_Model], frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> _Model:
    from scipy.optimize import minimize

    rows = np.column_stack(np.broadcast_arrays(*_rows(frequency, recency, age)))
    _refuse(rows)
    (x, recent, old), weight = _grouped(rows)
    counts = _Counts.of(x)
    center = _center(x, old, weight)

    def objective(theta: Floats) -> tuple[float, Floats]:
        model = kind(*(float(value) for value in np.exp(theta)))
        likelihood, gradient = _log_likelihood(model, counts, recent, old, weight)
        off = (theta - center) / _PRIOR_SD
        slope = gradient * np.exp(theta)
        return -likelihood + 0.5 * float(off @ off), -slope + off / _PRIOR_SD

    bounds = [tuple(np.log(_BOUNDS))] * 4
    found: list[Any] = [
        minimize(objective, center + np.array(start), jac=True, method="L-BFGS-B", bounds=bounds)
        for start in _STARTS
    ]
    best = min(found, key=lambda result: float(result.fun))
    return kind(*(float(value) for value in np.exp(best.x)))


def _refuse(rows: Floats) -> None:
    """Stop with a sentence where the rows cannot carry a fit."""
    x, recent, old = rows.T
    if not np.isfinite(rows).all() or (x < 0).any() or (recent < 0).any() or (recent > old).any():
        raise SchemaError(
            "Customers' orders cannot be read: frequency, recency and age must be finite and at "
            "least 0, and the last order not after today."
        )
    repeat = int((x > 0).sum())
    if len(rows) < MIN_CUSTOMERS or repeat < MIN_REPEAT_BUYERS:
        raise NotEnoughHistory(
            f"There are {len(rows)} customers, {repeat} of whom ordered again; a lifetime model "
            f"needs {MIN_CUSTOMERS} and {MIN_REPEAT_BUYERS}.",
            hint="Ingest a longer history, or use the rule on the customer's own rhythm.",
        )


def _grouped(rows: Floats) -> tuple[tuple[Floats, Floats, Floats], Floats]:
    """Count equal rows once: a shop of a million has a few thousand different ones."""
    unique, counts = np.unique(np.round(rows), axis=0, return_counts=True)
    return (unique[:, 0], unique[:, 1], unique[:, 2]), counts.astype(np.float64)


def _center(x: Floats, old: Floats, weight: Floats) -> Floats:
    """Return the prior's center, in logs; the scale of time comes from the data."""
    gap = max(float(weight @ old), 1.0) / max(float(weight @ x), 1.0)
    return np.log([_PRIOR["r"], _PRIOR["r"] * gap, _PRIOR["a"], _PRIOR["b"]])


@dataclass(frozen=True)
class _Counts:
    """Rows' numbers of repeat orders: few different ones, so that gamma functions are few too."""

    rows: Floats
    different: Floats
    places: NDArray[np.intp]

    @classmethod
    def of(cls, x: Floats) -> _Counts:
        return cls(x, *np.unique(x, return_inverse=True))

    def each(self, values: Floats) -> Floats:
        """Return every row's value, of values of the different numbers."""
        return values[self.places]


def _log_likelihood(
    model: BgNbd, counts: _Counts, recent: Floats, old: Floats, weight: Floats
) -> tuple[float, Floats]:
    """Log-likelihood and its gradient by (r, alpha, a, b); Fader et al. (2005), eq. 6 and A1-A4."""
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    x, different, each = counts.rows, counts.different, counts.each
    stayed = different + model._shift  # noqa: SLF001
    last = b + x - 1.0 + model._shift  # noqa: SLF001
    odds = model._log_odds_left(x, recent, old)  # noqa: SLF001
    left = special.expit(odds)
    silence = np.log((alpha + old) / (alpha + recent))
    likelihood = (
        each(special.gammaln(r + different))
        - special.gammaln(r)
        + r * np.log(alpha)
        - (r + x) * np.log(alpha + old)
        + each(special.betaln(a, b + stayed))
        - special.betaln(a, b)
        + np.logaddexp(0.0, odds)
    )
    both = each(special.digamma(a + b) - special.digamma(a + b + stayed))
    by_last = np.divide(left, last, out=np.zeros_like(left), where=left > 0)
    gradient = (
        each(special.digamma(r + different))
        - special.digamma(r)
        + np.log(alpha / (alpha + old))
        + left * silence,
        r / alpha
        - (r + x) / (alpha + old)
        + left * (r + x) * (1.0 / (alpha + old) - 1.0 / (alpha + recent)),
        both + left / a,
        both + each(special.digamma(b + stayed)) - special.digamma(b) - by_last,
    )
    return float(weight @ likelihood), np.array([float(weight @ part) for part in gradient])
