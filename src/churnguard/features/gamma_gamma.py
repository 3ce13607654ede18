"""What a customer's orders are worth on average: the Gamma-Gamma model.

Fader, Hardie: "The Gamma-Gamma model of monetary value" (2013), after Fader, Hardie, Lee ("RFM and
CLV", J. of Marketing Research 42, 2005). The value of an order varies round the customer's own
mean, and the mean from customer to customer; few orders are drawn towards the shop's mean. The
value is taken to be independent of how often the customer orders.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from churnguard.errors import NotEnoughHistory
from churnguard.features.btyd import MIN_CUSTOMERS, MIN_REPEAT_BUYERS

Floats = NDArray[np.float64]

_PRIOR_SD = 1.5
_PRIOR = {"p": 4.0, "q": 4.0}
_BOUNDS = (1e-4, 1e8)
_STEPS = 50.0  # equal steps of the logarithm in which values are grouped: 2 %


@dataclass(frozen=True)
class GammaGamma:
    """A fitted Gamma-Gamma model.

    The value of an order is Gamma(``p``, nu) for a customer, whose nu is from Gamma(``q``, ``v``).

    Parameters
    ----------
    p, q : float
        Shapes within a customer and between customers; ``q`` is above 1, so that the mean exists.
    v : float
        Scale, in money.

    Examples
    --------
    Parameters published for the CDNOW sample; its mean customer spends $35 an order:

    >>> model = GammaGamma(p=6.25, q=3.74, v=15.44)
    >>> round(float(model.expected_value(0, 0.0)), 2)
    35.22
    """

    p: float | Floats
    q: float | Floats
    v: float | Floats

    def expected_value(self, orders: ArrayLike, total: ArrayLike) -> Floats:
        """Return the value to be expected of the customer's next orders, in money.

        Parameters
        ----------
        orders : array_like
            How many orders with a value the customer has made.
        total : array_like
            What they came to.

        Returns
        -------
        ndarray of float64
            Fader, Hardie (2013), eq. 5: p (v + total) / (p orders + q - 1).

        Examples
        --------
        >>> model = GammaGamma(p=6.25, q=3.74, v=15.44)
        >>> model.expected_value([1, 2], [11.77, 2 * 22.35]).round(2).tolist()
        [18.92, 24.66]
        """
        count, spent = np.asarray(orders, np.float64), np.asarray(total, np.float64)
        return np.asarray(self.p * (self.v + spent) / (self.p * count + self.q - 1.0))


def fit_gamma_gamma(orders: ArrayLike, total: ArrayLike) -> GammaGamma:
    """Fit by maximum likelihood with a weak prior.

    Parameters
    ----------
    orders : array_like
        How many orders with a value above 0 each customer has made.
    total : array_like
        What they came to, in money; customers without such orders are passed over.

    Returns
    -------
    GammaGamma
        Mean values are grouped in steps of 2 % for the fit; the prior (each parameter within a
        factor of about 4.5) decides in a small shop only.

    Raises
    ------
    NotEnoughHistory
        If too few customers have two orders with a value.

    Examples
    --------
    >>> model = fit_gamma_gamma([2, 3, 4] * 20, [20.0, 60.0, 400.0] * 20)
    >>> round(float(model.expected_value(50, 50 * 20.0)))
    20
    """
    from scipy.optimize import minimize

    count, spent = np.asarray(orders, np.float64), np.asarray(total, np.float64)
    some = (count > 0) & (spent > 0)
    _refuse(count[some])
    x, mean, weight = _grouped(count[some], spent[some])
    shop_mean = float(weight @ (x * mean)) / float(weight @ x)
    scale = shop_mean * (_PRIOR["q"] - 1.0) / _PRIOR["p"]
    center = np.log([_PRIOR["p"], _PRIOR["q"] - 1.0, scale])

    def objective(theta: Floats) -> tuple[float, Floats]:
        p, above, v = np.exp(theta)
        likelihood, gradient = _log_likelihood(GammaGamma(p, above + 1.0, v), x, mean, weight)
        off = (theta - center) / _PRIOR_SD
        slope = gradient * np.exp(theta)
        return -likelihood + 0.5 * float(off @ off), -slope + off / _PRIOR_SD

    bounds = [tuple(np.log(_BOUNDS))] * 3
    best = minimize(objective, center, jac=True, method="L-BFGS-B", bounds=bounds)
    p, above, v = (float(value) for value in np.exp(best.x))
    return GammaGamma(p, above + 1.0, v)


def _refuse(count: Floats) -> None:
    """Stop with a sentence where the customers cannot carry a fit."""
    several = int((count > 1).sum())
    if len(count) < MIN_CUSTOMERS or several < MIN_REPEAT_BUYERS:
        raise NotEnoughHistory(
            f"There are {len(count)} customers with the value of an order, {several} of whom have "
            f"two; a model of order values needs {MIN_CUSTOMERS} and {MIN_REPEAT_BUYERS}.",
            hint="Ingest a longer history, with the value of orders.",
        )


def _grouped(count: Floats, spent: Floats) -> tuple[Floats, Floats, Floats]:
    """Count customers of one number of orders and about one mean value once."""
    step = np.rint(special.xlogy(_STEPS, spent / count))
    rows, weight = np.unique(np.stack([count, step]), axis=1, return_counts=True)
    return rows[0], np.exp(rows[1] / _STEPS), weight.astype(np.float64)


def _log_likelihood(
    model: GammaGamma, x: Floats, mean: Floats, weight: Floats
) -> tuple[float, Floats]:
    """Log-likelihood and its gradient by (p, q, v); Fader, Hardie (2013), eq. 1a."""
    p, q, v = model.p, model.q, model.v
    px, total = p * x, v + x * mean
    share = np.log(x * mean / total)
    likelihood = (
        special.gammaln(px + q)
        - special.gammaln(px)
        - special.gammaln(q)
        + q * np.log(v / total)
        + px * share
        - np.log(mean)
    )
    both = special.digamma(px + q)
    gradient = (
        x * (both - special.digamma(px) + share),
        both - special.digamma(q) + np.log(v / total),
        q / v - (px + q) / total,
    )
    return float(weight @ likelihood), np.array([float(weight @ part) for part in gradient])
