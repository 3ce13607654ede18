"""The contractual label: a customer has churned whose subscription ended and was not renewed.

The same three questions as in ``order_gap``. A subscription runs from ``subscription_started`` or
``subscription_renewed`` until ``subscription_cancelled``; where a shop's subscriptions lapse
without a word, it must send the cancellation when the term is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.labels.order_gap import data_end, mature

if TYPE_CHECKING:
    from churnguard.events.timeline import Timeline

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]

__all__ = ["EVENTS", "churned", "data_end", "eligible", "mature"]

_BEGINS = ("subscription_started", "subscription_renewed")
_ENDS = "subscription_cancelled"
EVENTS = (*_BEGINS, _ENDS)

_NEVER = np.iinfo(np.int64).min


def eligible(timeline: Timeline, cutoff_us: int, look_back_days: int) -> Codes:
    """Return the customers whose subscription was known to run at ``T``.

    Parameters
    ----------
    timeline : Timeline
        The events.
    cutoff_us : int
        ``T``, microseconds UTC.
    look_back_days : int
        A subscription that was last started or renewed longer ago does not count: its end is
        missing from the data. Take more than the longest term.

    Returns
    -------
    ndarray of int32
        Customer codes, rising.
    """
    everybody = np.arange(len(timeline.customer_ids), dtype=np.int32)
    instants = np.full(len(everybody), cutoff_us, dtype=np.int64)
    known = timeline.known_at(everybody, instants, events=EVENTS)
    began, ended = _last(known, everybody, instants)
    runs = (began >= cutoff_us - look_back_days * DAY_US) & (began >= ended)
    return everybody[runs]


def churned(
    timeline: Timeline, customers: Codes, cutoffs: Ints, horizon_days: int
) -> NDArray[np.bool_]:
    """Tell which rows have no running subscription at ``T + horizon``.

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

    Returns
    -------
    ndarray of bool, shape (n,)
        To be believed only where :func:`mature` says so. A subscription that was cancelled and
        taken up again within the horizon is none that ended; one that begins at the instant at
        which another is cancelled goes on.
    """
    began, ended = _last(timeline, customers, cutoffs + horizon_days * DAY_US)
    return np.asarray(ended > began)


def _last(timeline: Timeline, customers: Codes, instants: Ints) -> tuple[Ints, Ints]:
    """Return when each row's subscription last began or was renewed, and when it last ended."""
    began = np.maximum(*(_last_of(timeline, event, customers, instants) for event in _BEGINS))
    return began, _last_of(timeline, _ENDS, customers, instants)


def _last_of(timeline: Timeline, event: str, customers: Codes, instants: Ints) -> Ints:
    """Return the instant of each row's last event of a kind before an instant; or never."""
    track = timeline.track(event)
    before = track.first_at(customers, instants) - 1
    there = before >= track.offsets[customers]
    found = np.full(len(customers), _NEVER, dtype=np.int64)
    found[there] = track.occurred[before[there]]
    return found
