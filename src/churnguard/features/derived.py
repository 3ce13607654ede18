"""Events that no shop sends: each is derived from a customer's own events.

A derived event stands at the instant from which it is certain, so that a half-open window never
sees the future. The derivation reads a timeline and nothing else: run on what was known of a
customer at a cutoff, it says what was certain then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churnguard.events.timeline import Timeline

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class DerivedEvents:
    """Derived events of one kind, sorted by (customer, instant).

    Attributes
    ----------
    offsets : ndarray of int64, shape (customers + 1,)
        Customer ``c`` has the events ``offsets[c]`` to ``offsets[c + 1]``.
    occurred : ndarray of int64, shape (n,)
        From when on it is certain, microseconds UTC.
    columns : mapping of str to ndarray
        What else is known: int64 numbers (``MISSING``), or int32 codes of words.
    """

    offsets: Ints
    occurred: Ints
    columns: Mapping[str, NDArray[np.integer]]


def derived_events(
    timeline: Timeline, customer: Ints, occurred: Ints, **columns: NDArray[np.integer]
) -> DerivedEvents:
    """Return derived events, given in the order of (customer, instant).

    Examples
    --------
    >>> from churnguard.events.schema import empty_events
    >>> nothing = np.zeros(0, np.int64)
    >>> derived_events(Timeline.from_arrow(empty_events()), nothing, nothing).offsets.tolist()
    [0]
    """
    if len(timeline.customer_ids) == 1:
        offsets = np.array([0, len(occurred)])
    else:
        offsets = np.searchsorted(customer, np.arange(len(timeline.customer_ids) + 1))
    return DerivedEvents(offsets, occurred, columns)


def in_order(rows: Ints) -> Ints:
    """Return rows (the first is the customer, the second the instant) sorted, ties as given.

    Examples
    --------
    >>> in_order(np.array([[1, 0, 0], [5, 9, 7], [1, 2, 3]])).tolist()
    [[0, 0, 1], [7, 9, 5], [3, 2, 1]]
    """
    ordered: Ints = rows[:, np.lexsort((rows[1], rows[0]))]
    return ordered
