"""Rows: the pleasant side of the kernel, in which signals are written.

A row is a customer at a cutoff ``T``. ``rows.events("order_completed").count(days=90)`` looks at
``[T - 90 days, T)``; without ``days`` at everything before ``T``. Every method returns one float64
a row, NaN where there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.events.sorting import first_at
from churnguard.events.timeline import MISSING
from churnguard.features import kernel
from churnguard.features.population import Population
from churnguard.features.tracks import PreparedTrack, Tracks, scale

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Floats = NDArray[np.float64]
_Made = TypeVar("_Made")

NEVER = int(MISSING)
"""The instant of something that has not happened; before every other instant."""

_NORMAL = 1.4826


class Rows:
    """Customers at cutoffs, and what was known of each.

    Parameters
    ----------
    tracks : Tracks
        The prepared timeline.
    customers : ndarray of int32, shape (n,)
        Customer codes.
    cutoffs : ndarray of int64, shape (n,)
        Microseconds UTC.
    population : Population, optional
        What was fitted over all customers.
    """

    def __init__(
        self,
        tracks: Tracks,
        customers: Codes,
        cutoffs: Ints,
        *,
        population: Population | None = None,
    ) -> None:
        self.customers = customers
        self.cutoffs = cutoffs
        self.following = customers + np.int32(1)
        self.population = population
        self.shape = customers.shape
        self._tracks = tracks
        self._events: dict[str, EventRows] = {}
        self._back: dict[float, Ints] = {}
        self._made: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.customers)

    def back(self, days: float) -> Ints:
        """Return the instant so many days of 86,400 s before each cutoff."""
        if days not in self._back:
            self._back[days] = self.cutoffs - round(days * DAY_US)
        return self._back[days]

    @cached_property
    def season(self) -> Floats:
        """Return the season at each cutoff, shape (4, n): see :func:`kernel.season`."""
        return kernel.season(self.cutoffs)

    def once(self, name: str, make: Callable[[Rows], _Made]) -> _Made:
        """Return what several signals share, made from these rows when first asked for."""
        if name not in self._made:
            self._made[name] = make(self)
        made: _Made = self._made[name]
        return made

    def events(self, name: str) -> EventRows:
        """Return one kind of event as the rows see it; ``cart_abandoned`` is derived."""
        if name not in self._events:
            self._events[name] = EventRows(self, self._tracks.track(name))
        return self._events[name]


class EventRows:
    """One kind of event before each row's cutoff; see the module for windows.

    Windows are given by ``days`` (how far back they begin), ``until`` (how far back they end; 0 is
    the cutoff) or ``after`` (an instant a row, not included; from :meth:`last_at`).
    """

    def __init__(self, rows: Rows, track: PreparedTrack) -> None:
        self._rows = rows
        self._track = track
        self._bounds: dict[object, tuple[Ints, Ints]] = {}
        self._narrower: dict[object, EventRows] = {}
        self._gaps: dict[object, Gaps] = {}
        self._places: dict[int, Ints] = {}
        self._since: dict[int, Floats] = {}
        self._first = track.offsets[rows.customers]
        high = track.offsets[rows.following]
        self._end = first_at(track.occurred, self._first, high, rows.cutoffs)

    def where(self, column: str, equals: float | str) -> EventRows:
        """Return only the events whose column holds a number or a word."""
        return self._narrow(("where", column, equals), lambda t: t.where(column, equals))

    def known(self, column: str) -> EventRows:
        """Return only the events whose column is not missing."""
        return self._narrow(("known", column), lambda t: t.where_known(column))

    def first_of(self, column: str) -> EventRows:
        """Return only the events whose word the customer's earlier ones did not hold."""
        return self._narrow(("first_of", column), lambda t: t.where_first(column))

    def visits(self, apart_days: float = 1.0) -> EventRows:
        """Return only the events that begin a visit, at least so long after the one before."""
        return self._narrow(("visits", apart_days), lambda t: t.visits(apart_days))

    def bounds(
        self, days: float | None = None, *, until: float = 0.0, after: Ints | None = None
    ) -> tuple[Ints, Ints]:
        """Return first and last place (not included) of the window in the track, one a row."""
        if after is not None:
            return self._from(after + 1), self._end
        if (days, until) not in self._bounds:
            low = self._first if days is None else self._back(days)
            self._bounds[days, until] = low, self._end if until == 0 else self._back(until)
        return self._bounds[days, until]

    def count(
        self, days: float | None = None, *, until: float = 0.0, after: Ints | None = None
    ) -> Floats:
        """Return how many events there are in the window."""
        low, high = self.bounds(days, until=until, after=after)
        return kernel.window_count(low, high)

    def sum(
        self,
        column: str,
        days: float | None = None,
        *,
        until: float = 0.0,
        after: Ints | None = None,
    ) -> Floats:
        """Return the sum of a column over the window; what is missing adds nothing."""
        low, high = self.bounds(days, until=until, after=after)
        return kernel.window_sum(self._track.sums(column), low, high, scale(column))

    def mean(self, column: str, days: float | None = None, *, until: float = 0.0) -> Floats:
        """Return the mean of a column over the window, NaN where it has no number."""
        low, high = self.bounds(days, until=until)
        total = kernel.window_sum(self._track.sums(column), low, high, scale(column))
        return ratio(total, kernel.window_sum(self._track.presence(column), low, high, 1))

    def median(
        self, column: str, days: float | None = None, *, until: float = 0.0, skip_last: int = 0
    ) -> Floats:
        """Return the median of a column over the window, less its newest ``skip_last`` events."""
        low, high = self.bounds(days, until=until)
        high = np.maximum(high - skip_last, low) if skip_last else high
        return kernel.window_median(self._track.column(column), low, high, scale(column))

    def trend(self, column: str, days: float | None = None) -> Floats:
        """Return the slope of a column over time, as a share of its mean per 30 days."""
        low, high = self.bounds(days)
        return kernel.window_trend(self._track.occurred, self._track.column(column), low, high)

    def distinct(self, column: str, days: float | None = None, *, until: float = 0.0) -> Floats:
        """Return how many different words a column holds in the window."""
        low, high = self.bounds(days, until=until)
        return kernel.window_distinct(self._track.previous(column), low, high)

    def most_often(self, column: str, days: float | None = None, *, until: float = 0.0) -> Floats:
        """Return how many times the commonest word of a column occurs in the window."""
        low, high = self.bounds(days, until=until)
        return kernel.window_most_often(self._track.previous(column), low, high)

    def streak(self, column: str, equals: float, days: float | None = None) -> Floats:
        """Return how many of the newest events in a row hold a number."""
        low, high = self.bounds(days)
        wanted = round(equals * scale(column))
        return kernel.window_streak(self._track.column(column), low, high, wanted)

    def gaps(self, days: float | None = None) -> Gaps:
        """Return the gaps between neighbouring events of the window."""
        if days not in self._gaps:
            self._gaps[days] = Gaps(self._track.occurred, *self.bounds(days))
        return self._gaps[days]

    def last(self, column: str, nth: int = 1) -> Floats:
        """Return the number of the newest event (``nth=2``: the one before it)."""
        return kernel.numbers_at(self._track.column(column), self._newest(nth), scale(column))

    def last_at(self, nth: int = 1) -> Ints:
        """Return the instant of the newest event, ``NEVER`` where there is none."""
        return kernel.instants_at(self._track.occurred, self._newest(nth))

    def first_at(self, nth: int = 1) -> Ints:
        """Return the instant of the first event (``nth=2``: the second), ``NEVER`` if none."""
        return kernel.instants_at(self._track.occurred, self._oldest(nth))

    def since_last(self, nth: int = 1) -> Floats:
        """Return days from the newest event (``nth=2``: the one before it) to the cutoff."""
        if nth not in self._since:
            at = self._newest(nth)
            self._since[nth] = kernel.days_since(self._track.occurred, at, self._rows.cutoffs)
        return self._since[nth]

    def since_first(self) -> Floats:
        """Return days from the first event to the cutoff."""
        return kernel.days_since(self._track.occurred, self._oldest(1), self._rows.cutoffs)

    def _newest(self, nth: int) -> Ints:
        if nth not in self._places:
            self._places[nth] = kernel.places(self._end, self._first, nth)
        return self._places[nth]

    def _oldest(self, nth: int) -> Ints:
        place = self._first + (nth - 1)
        return np.where(place < self._end, place, -1)

    def _back(self, days: float) -> Ints:
        return self._from(self._rows.back(days))

    def _from(self, instants: Ints) -> Ints:
        return first_at(self._track.occurred, self._first, self._end, instants)

    def _narrow(self, key: object, make: Callable[[PreparedTrack], PreparedTrack]) -> EventRows:
        if key not in self._narrower:
            self._narrower[key] = EventRows(self._rows, make(self._track))
        return self._narrower[key]


class Gaps:
    """Statistics of gaps between events, in days; NaN where there are too few gaps.

    Parameters
    ----------
    occurred : ndarray of int64
        Instants of a track.
    low, high : ndarray of int64, shape (n,)
        Each row's window in it.
    """

    def __init__(self, occurred: Ints, low: Ints, high: Ints) -> None:
        self._window = occurred, low, high

    def count(self) -> Floats:
        """Return the number of gaps."""
        return self._moments[0]

    def mean(self) -> Floats:
        """Return the mean gap."""
        return self._moments[1]

    def sd(self) -> Floats:
        """Return the standard deviation (n - 1)."""
        return self._moments[2]

    def median(self) -> Floats:
        """Return the median gap."""
        return self._ranks[0]

    def spread(self) -> Floats:
        """Return the median distance of the gaps from their median."""
        return self._ranks[1]

    def longest(self) -> Floats:
        """Return the longest gap."""
        return self._ranks[2]

    def robust_z(self, silence: Floats) -> Floats:
        """Return a silence less the median gap, in robust standard deviations of at least a day.

        1.4826 times the spread estimates the standard deviation of a normal distribution
        (Rousseeuw, Croux: "Alternatives to the median absolute deviation", JASA 88, 1993).
        """
        return (silence - self.median()) / np.maximum(_NORMAL * self.spread(), 1.0)

    @cached_property
    def _moments(self) -> tuple[Floats, Floats, Floats]:
        return kernel.gap_moments(*self._window)

    @cached_property
    def _ranks(self) -> tuple[Floats, Floats, Floats]:
        return kernel.gap_ranks(*self._window)


def ratio(above: NDArray[Any], below: NDArray[Any]) -> Floats:
    """Return ``above / below``, NaN where ``below`` is zero or either is missing.

    Examples
    --------
    >>> ratio(np.array([1.0, 1.0]), np.array([4.0, 0.0])).tolist()
    [0.25, nan]
    """
    return kernel.ratios(np.asarray(above, np.float64), np.asarray(below, np.float64))


def days_between(start: Ints, end: Ints) -> Floats:
    """Return days from one instant to another, NaN where either is ``NEVER``.

    Examples
    --------
    >>> days_between(np.array([0, NEVER]), np.array([DAY_US, DAY_US])).tolist()
    [1.0, nan]
    """
    there = (start != NEVER) & (end != NEVER)
    between: Floats = np.where(there, (end - np.where(there, start, end)) / DAY_US, np.nan)
    return between
