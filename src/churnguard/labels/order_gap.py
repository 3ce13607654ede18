"""The label: a customer has churned who places no order in the horizon after the cutoff.

Who is eligible is decided by what was known at the cutoff, by both clocks; what happened afterwards
by when it occurred. Horizons and look-backs are half-open and whole days of 86,400 s. Where another
event than the order shows that a customer is there, such as a login, ``event`` names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US, end_of_local_day, from_us, to_us
from churnguard.errors import NotEnoughHistory

if TYPE_CHECKING:
    from churnguard.events.timeline import Timeline

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]

ORDER = "order_completed"


def eligible(
    timeline: Timeline, cutoff_us: int, look_back_days: int, *, event: str = ORDER
) -> Codes:
    """Return the customers with an order in ``[T - look-back, T)`` that was known at ``T``.

    Parameters
    ----------
    timeline : Timeline
        The events.
    cutoff_us : int
        ``T``, microseconds UTC.
    look_back_days : int
        How recent an order must be.
    event : str
        What counts as one.

    Returns
    -------
    ndarray of int32
        Customer codes, rising.
    """
    orders = timeline.track(event)
    recent = (orders.occurred >= cutoff_us - look_back_days * DAY_US) & (
        orders.occurred < cutoff_us
    )
    places = np.flatnonzero(recent & (orders.received < cutoff_us))
    customers = np.searchsorted(orders.offsets, places, side="right") - 1
    return np.unique(customers).astype(np.int32)


def churned(
    timeline: Timeline,
    customers: Codes,
    cutoffs: Ints,
    horizon_days: int,
    *,
    event: str = ORDER,
) -> NDArray[np.bool_]:
    """Tell which rows have no order in ``[T, T + horizon)``.

    Parameters
    ----------
    timeline : Timeline
        The events, as known today.
    customers : ndarray of int32, shape (n,)
        Customer codes.
    cutoffs : ndarray of int64, shape (n,)
        ``T`` of each row, microseconds UTC.
    horizon_days : int
        How far ahead the label looks.
    event : str
        What counts as an order.

    Returns
    -------
    ndarray of bool, shape (n,)
        To be believed only where :func:`mature` says so.
    """
    orders = timeline.track(event)
    begin = orders.first_at(customers, cutoffs)
    end = orders.first_at(customers, cutoffs + horizon_days * DAY_US)
    return np.asarray(begin == end)


def mature(cutoffs: Ints, horizon_days: int, data_end_us: int) -> NDArray[np.bool_]:
    """Tell which cutoffs have their whole horizon within the data.

    Parameters
    ----------
    cutoffs : ndarray of int64
        Microseconds UTC.
    horizon_days : int
        How far ahead the label looks.
    data_end_us : int
        From :func:`data_end`.

    Examples
    --------
    >>> mature(np.array([0, DAY_US]), 90, 90 * DAY_US).tolist()
    [True, False]
    """
    return np.asarray(cutoffs) + horizon_days * DAY_US <= data_end_us


def data_end(timeline: Timeline, timezone: str) -> int:
    """Return the end of the shop-local day of the newest event, microseconds UTC.

    Parameters
    ----------
    timeline : Timeline
        The events.
    timezone : str
        The shop's IANA time zone.

    Raises
    ------
    NotEnoughHistory
        If there is no event.
    """
    newest = timeline.last_occurred
    if newest is None:
        raise NotEnoughHistory(
            "There are no events yet.", hint="Bring in the shop's files with 'churnguard ingest'."
        )
    return to_us(end_of_local_day(from_us(newest), timezone))
