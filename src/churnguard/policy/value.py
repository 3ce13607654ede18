"""What a customer is worth over the horizon, so that an action can be weighed against its cost.

Two numbers: what a customer brings who stays (an action that prevents churn keeps it), and what is
to be expected, in which the risk is counted. How good both are: ``benchmarks/value.py``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DAYS_A_YEAR = 365
SIGNAL_DAYS = 90
"""The horizon of the signals ``expected_spend_90d`` and ``mbgnbd_churn_risk``."""
CREDIBILITY_ORDERS = 0.5
"""``k`` of the credibility weight: with so many orders a customer's own spend counts half.
"""


def expected_values(
    net_spend: NDArray[np.float64],
    orders: NDArray[np.float64],
    *,
    shop_mean_spend: float,
    horizon_days: int,
    margin: float,
    credibility_orders: float = CREDIBILITY_ORDERS,
) -> NDArray[np.float64]:
    """Return the margin expected from each customer over the horizon, if the customer stays.

    With ``n`` orders in the past year and the credibility weight ``Z = n / (n + k)``::

        value = (Z * own spend + (1 - Z) * shop mean) * horizon / 365 * margin

    which is Buehlmann's linear credibility estimator (H. Buehlmann, "Experience rating and
    credibility", ASTIN Bulletin 4(3), 1967, 199-207): the best linear mixture of own and
    collective experience, ``k`` being the ratio of variance within customers to variance between.

    Parameters
    ----------
    net_spend : ndarray of float64, shape (n,)
        Spend less refunds of the past 365 days, money; NaN (not known) counts as no own experience,
        a negative sum as 0.
    orders : ndarray of float64, shape (n,)
        Orders of the past 365 days; NaN counts as 0.
    shop_mean_spend : float
        Mean of ``net_spend`` over the shop's customers, fitted once and handed in.
    horizon_days : int
        Days ahead.
    margin : float
        Contribution margin, the share of net spend that is earned.
    credibility_orders : float
        ``k``, in orders.

    Returns
    -------
    ndarray of float64, shape (n,)
        Money, never negative.

    Examples
    --------
    >>> expected_values(
    ...     np.array([400.0, np.nan]), np.array([1.5, np.nan]),
    ...     shop_mean_spend=200.0, horizon_days=73, margin=0.3,
    ... ).tolist()
    [21.0, 12.0]
    """
    n = np.where(np.isnan(orders) | np.isnan(net_spend), 0.0, orders)
    own = np.where(np.isnan(net_spend), 0.0, np.maximum(net_spend, 0.0))
    weight = n / (n + credibility_orders)
    yearly = weight * own + (1 - weight) * max(shop_mean_spend, 0.0)
    return np.asarray(yearly * (horizon_days / DAYS_A_YEAR) * margin)


def expected_value(
    risks: NDArray[np.float64],
    if_stays: NDArray[np.float64],
    *,
    expected_spend: NDArray[np.float64] | None,
    rhythm_risk: NDArray[np.float64] | None,
    horizon_days: int,
    margin: float,
) -> NDArray[np.float64]:
    """Return the margin to be expected from each customer over the horizon, the risk counted in.

    What a customer spends who orders at all is, by order rhythm and value (MBG/NBD and
    Gamma-Gamma), the expected spend over the chance of an order; the chance itself is the
    model's, which knows the season and everything else::

        value = (1 - risk) * expected spend / (1 - risk by rhythm) * horizon / 90 * margin

    Parameters
    ----------
    risks : ndarray of float64, shape (n,)
        Calibrated probability of no order in the horizon.
    if_stays : ndarray of float64, shape (n,)
        From :func:`expected_values`: taken, as it is, where the signals have nothing to say.
    expected_spend, rhythm_risk : ndarray of float64, shape (n,), optional
        The signals ``expected_spend_90d`` and ``mbgnbd_churn_risk``; None without them.
    horizon_days : int
        Days ahead.
    margin : float
        Contribution margin.

    Returns
    -------
    ndarray of float64, shape (n,)
        Money, never negative.

    Examples
    --------
    >>> expected_value(
    ...     np.array([0.5, 0.5]), np.array([9.0, 9.0]), expected_spend=np.array([50.0, np.nan]),
    ...     rhythm_risk=np.array([0.75, np.nan]), horizon_days=90, margin=0.25,
    ... ).tolist()
    [25.0, 9.0]
    """
    if expected_spend is None or rhythm_risk is None:
        return if_stays
    comes = 1.0 - rhythm_risk
    with np.errstate(invalid="ignore", divide="ignore"):
        spend = (1.0 - risks) * (expected_spend / comes) * (horizon_days / SIGNAL_DAYS) * margin
    known = np.isfinite(spend) & (comes > 0)
    return np.where(known, np.maximum(spend, 0.0), if_stays)


def expected_value_year(
    net_spend: NDArray[np.float64],
    if_stays: NDArray[np.float64],
    *,
    expected_spend: NDArray[np.float64] | None,
    margin: float,
) -> NDArray[np.float64]:
    """Return the margin to be expected from each customer over the 365 days ahead.

    No risk reaches so far; leaving is counted in by the order rhythm. The past year as it was and
    what rhythm and value expect (MBG/NBD and Gamma-Gamma) err in different ways, and their
    geometric mean less than either::

        value = sqrt(net spend * expected spend * 365 / 90) * margin

    Parameters
    ----------
    net_spend : ndarray of float64, shape (n,)
        Spend less refunds of the past 365 days, money; a negative sum counts as 0.
    if_stays : ndarray of float64, shape (n,)
        From :func:`expected_values` for 365 days: taken, as it is, where either is not known.
    expected_spend : ndarray of float64, shape (n,), optional
        The signal ``expected_spend_90d``; None without it.
    margin : float
        Contribution margin.

    Returns
    -------
    ndarray of float64, shape (n,)
        Money, never negative.

    Examples
    --------
    >>> expected_value_year(
    ...     np.array([365.0, np.nan]), np.array([9.0, 9.0]),
    ...     expected_spend=np.array([90.0, 90.0]), margin=0.5,
    ... ).tolist()
    [182.5, 9.0]
    """
    if expected_spend is None:
        return if_stays
    ahead = np.maximum(expected_spend, 0.0) * (DAYS_A_YEAR / SIGNAL_DAYS)
    value = np.sqrt(np.maximum(net_spend, 0.0) * ahead) * margin
    return np.where(np.isnan(value), if_stays, value)


def mean_spend(net_spend: NDArray[np.float64]) -> float:
    """Return the shop's mean yearly spend, the ``shop_mean_spend`` of :func:`expected_values`.

    Parameters
    ----------
    net_spend : ndarray of float64, shape (n,)
        As in :func:`expected_values`; NaN is left out, a negative sum counts as 0.

    Returns
    -------
    float
        0 when nothing is known.

    Examples
    --------
    >>> mean_spend(np.array([100.0, 300.0, np.nan, -50.0])) == 400 / 3
    True
    """
    known = net_spend[~np.isnan(net_spend)]
    return float(np.maximum(known, 0.0).mean()) if len(known) else 0.0
