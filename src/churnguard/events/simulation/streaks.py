"""What befell each customer in a row up to a day: carts left, and searches that found nothing.

It is read off the run's own record of visits, which knows at once whether a cart is left for good.
A shop has to wait a day to be sure, so a cart counts here from the second midnight after it.
"""

from __future__ import annotations

import numpy as np

from churnguard.events.simulation.draws import Bools, Ints
from churnguard.events.simulation.world import Record

STREAK_DAYS = 90
"""A fruitless search is forgotten after so many days."""

_READ = ("bought", "cart_left", "searches", "empty")
_SPAN = 1 << 20


def streaks(visits: Record, customer: Ints, day: Ints) -> dict[str, Ints]:
    """Count carts left and fruitless searches of customers up to the beginning of days.

    Parameters
    ----------
    visits : dict of arrays
        ``Happenings.visits``: at most one row a customer and day.
    customer, day : int64 array (n,)
        Who is asked about, and when.

    Returns
    -------
    dict of int64 arrays (n,)
        ``carts_left``: all carts left before the day before. ``cart_streak``: those of them since
        the last day with an order. ``empty_streak``: searches without a result since the last one
        with a result, within ``STREAK_DAYS`` days.

    Examples
    --------
    >>> columns = ("customer", "day", "bought", "cart_left", "searches", "empty")
    >>> rows = [(0, 1, 0, 1, 0, 0), (0, 3, 1, 0, 0, 0), (0, 4, 0, 1, 2, 1), (0, 6, 0, 1, 3, 3)]
    >>> visits = dict(zip(columns, np.array(rows).T, strict=True))
    >>> found = streaks(visits, np.array([0, 0, 0]), np.array([3, 7, 8]))
    >>> [found[name].tolist() for name in ("carts_left", "cart_streak", "empty_streak")]
    [[1, 2, 3], [1, 1, 2], [0, 3, 3]]
    """
    keys = _key(visits["customer"], visits["day"])
    order = np.argsort(keys)
    keys, row = keys[order], {name: visits[name][order] for name in _READ}

    def place(days: Ints) -> Ints:
        return np.searchsorted(keys, _key(customer, days)).astype(np.int64)

    first, now, known = place(np.full(len(day), -1)), place(day), place(day - 1)
    carts, empties = _summed(row["cart_left"]), _summed(row["empty"])
    ordered = np.clip(_latest(row["bought"] > 0)[now], first, known)
    found = _latest(row["searches"] > row["empty"])[now]
    fruitless = np.maximum(np.maximum(found, first), place(day - STREAK_DAYS))
    return {
        "carts_left": carts[known] - carts[first],
        "cart_streak": carts[known] - carts[ordered],
        "empty_streak": empties[now] - empties[fruitless],
    }


def _key(customer: Ints, day: Ints) -> Ints:
    """Return numbers that sort by customer, then by day."""
    return customer * _SPAN + day + STREAK_DAYS


def _summed(counts: Ints) -> Ints:
    """Return how many there were before each place, and in all."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _latest(happened: Bools) -> Ints:
    """Return, for each place and the end, the place behind the last at which it happened."""
    behind = np.where(happened, np.arange(1, len(happened) + 1), 0)
    return np.concatenate([[0], np.maximum.accumulate(behind)]).astype(np.int64)
