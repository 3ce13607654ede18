"""Silences: the times between a customer's orders, and from which day on one would say "lost".

Every silence that grew longer than a rule allows is a time at which the rule would have called the
customer lost; whether an order came later tells whether it was wrong.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.events.timeline import Timeline

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WINDOWS = (30, 45, 60, 90, 120, 180, 270, 365)
"""Fixed windows to choose from, in days."""

RHYTHM_GAPS = 3
"""So many earlier gaps make a rhythm of one's own."""

_MAD_TO_SD = 1.4826  # of the normal distribution
_LEAST_DEVIATION_DAYS = 1.0


@dataclass(frozen=True)
class Silences:
    """Every silence of every customer, the open ones included, by customer and time.

    Orders less than a day after the start of a visit belong to it; a silence is from the start of
    one visit to that of the next, or to the end of the data.

    Attributes
    ----------
    customer : ndarray of int64, shape (n,)
        Whose it is.
    began : ndarray of int64, shape (n,)
        Microseconds UTC.
    days : ndarray of float64, shape (n,)
        How long it lasted, or has lasted.
    ended : ndarray of bool, shape (n,)
        An order ended it.
    usual, deviation : ndarray of float64, shape (n,)
        Median of the customer's earlier gaps and their robust standard deviation, in days, as
        known when it began; NaN with fewer than ``RHYTHM_GAPS`` of them.
    """

    customer: Ints
    began: Ints
    days: Floats
    ended: NDArray[np.bool_]
    usual: Floats
    deviation: Floats

    def __len__(self) -> int:
        return len(self.days)


@dataclass(frozen=True)
class LostRule:
    """From which length of a silence on a customer is called lost.

    Attributes
    ----------
    code : str
        Its name in JSON.
    text : str
        For people: "silent for ...".
    threshold : callable
        Days for each silence; NaN where the rule has nothing to say.
    window_days : int or None
        The one threshold of all; None where each customer has an own one.
    """

    code: str
    text: str
    threshold: Callable[[Silences], Floats]
    window_days: int | None = None


def window(days: int) -> LostRule:
    """Return the rule "silent for so many days".

    Examples
    --------
    >>> window(90).code, window(90).text
    ('window_90', '90 days')
    """
    return LostRule(
        f"window_{days}", f"{days} days", lambda s: np.full(len(s), float(days)), window_days=days
    )


def times_usual(times: int) -> LostRule:
    """Return the rule "silent for so many times one's own median gap"."""
    return LostRule(f"rhythm_{times}x", f"{times} x own gap", lambda s: times * s.usual)


def deviations(z: int) -> LostRule:
    """Return the rule "silent for the own median gap and so many robust standard deviations"."""
    return LostRule(f"rhythm_z{z}", f"own gap + {z} sd", lambda s: s.usual + z * s.deviation)


LOST_RULES: tuple[LostRule, ...] = (
    *(window(days) for days in WINDOWS),
    *(times_usual(times) for times in (2, 3, 4)),
    deviations(3),
)
"""What the advisor compares."""


def silences(
    timelines: Sequence[Timeline], end_us: int, *, event: str = "order_completed"
) -> Silences:
    """Return all silences between orders, as known today.

    Parameters
    ----------
    timelines : sequence of Timeline
        The shop's events; all of a customer's in one of them.
    end_us : int
        The end of the data, microseconds UTC; later orders are not looked at.
    event : str
        What breaks a silence.
    """
    rows = np.fromiter(_all_rows(timelines, end_us, event), dtype=_COLUMNS)
    return Silences(*(rows[name] for name in _COLUMNS.names or ()))


_COLUMNS = np.dtype(
    [
        ("customer", np.int64),
        ("began", np.int64),
        ("days", np.float64),
        ("ended", np.bool_),
        ("usual", np.float64),
        ("deviation", np.float64),
    ]
)
_Row = tuple[int, int, float, bool, float, float]


def _all_rows(timelines: Sequence[Timeline], end_us: int, event: str) -> Iterator[_Row]:
    number = 0
    for timeline in timelines:
        track = timeline.track(event)
        offsets, occurred = track.offsets.tolist(), track.occurred.tolist()
        for first, last in pairwise(offsets):
            yield from _rows(number, _visits(occurred[first:last], end_us), end_us)
            number += 1


def _visits(orders: Sequence[int], end_us: int) -> list[int]:
    """Return the starts of visits before the end."""
    starts: list[int] = []
    for order in orders:
        if order < end_us and (not starts or order - starts[-1] >= DAY_US):
            starts.append(order)
    return starts


def _rows(customer: int, starts: Sequence[int], end_us: int) -> Iterator[_Row]:
    earlier: list[float] = []
    for place, start in enumerate(starts):
        ended = place + 1 < len(starts)
        days = ((starts[place + 1] if ended else end_us) - start) / DAY_US
        usual, deviation = _rhythm(earlier)
        yield customer, start, days, ended, usual, deviation
        insort(earlier, days)


def _rhythm(gaps: Sequence[float]) -> tuple[float, float]:
    if len(gaps) < RHYTHM_GAPS:
        return np.nan, np.nan
    usual = median(gaps)
    spread = median(abs(gap - usual) for gap in gaps)
    return usual, max(_MAD_TO_SD * spread, _LEAST_DEVIATION_DAYS)
