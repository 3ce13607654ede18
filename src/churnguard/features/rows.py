"""Rows: the pleasant side of the kernel, in which signals are written.

A row is a customer at a cutoff ``T``. ``rows.events("order_completed").count(days=90)`` looks at
``[T - 90 days, T)``; without ``days`` at everything before ``T``. Every method returns one float64
a row, NaN where there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.events.timeline import MISSING
from churnguard.features import kernel
from churnguard.features.formulas import Formula, written
from churnguard.features.population import Population
from churnguard.features.tracks import PreparedTrack, Tracks, scale
from churnguard.features.windows import Windows

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Floats = NDArray[np.float64]
_Made = TypeVar("_Made")
Three = tuple[Floats, Floats, Floats]

Step = tuple[str, str, float | str]
"""How events are narrowed: ``where``, ``known``, ``first_of`` or ``visits``; by what; to what."""

Path = tuple[str | Step, ...]
"""The kind of event, and the steps by which it was narrowed."""

Question = tuple[str, str, float | None, float, int]
"""What is asked of a path: a method of :class:`~churnguard.features.windows.Windows`, and its
arguments."""

WIDTH: Mapping[str, int] = {"gap_moments": 3, "gap_ranks": 3}
"""Questions that are answered by several numbers."""

Answers = Mapping[Path, Mapping[Question, Any]]
_NOTHING: Mapping[Question, Any] = {}

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
    answers : mapping of Path to mapping of Question, optional
        Answers that are known already: see :mod:`churnguard.features.questions`.
    """

    def __init__(
        self,
        tracks: Tracks,
        customers: Codes,
        cutoffs: Ints,
        *,
        population: Population | None = None,
        answers: Answers | None = None,
    ) -> None:
        self.customers = customers
        self.cutoffs = cutoffs
        self.following = customers + np.int32(1)
        self.population = population
        self.shape = customers.shape
        self._answers: Answers = {} if answers is None else answers
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
            find = partial(self._tracks.track, name)
            self._events[name] = EventRows(
                (name,), find, self.customers, self.cutoffs, answers=self._answers
            )
        return self._events[name]


class EventRows:
    """One kind of event before each row's cutoff; see the module for windows.

    Windows are given by ``days`` (how far back they begin), ``until`` (how far back they end; 0 is
    the cutoff) or ``after`` (an instant a row, not included; from :meth:`last_at`).

    It does not know what keeps it, the rows or the events it is narrowed from: a cycle would hold
    all events in memory until the collector of garbage comes by.
    """

    def __init__(
        self,
        path: Path,
        find: Callable[[], PreparedTrack],
        customers: Codes,
        cutoffs: Ints,
        *,
        answers: Answers,
    ) -> None:
        self._path = path
        self._find = find
        self._rows = customers, cutoffs
        self._all_answers = answers
        self._answers = answers.get(path, _NOTHING)
        self._narrower: dict[object, EventRows] = {}
        self._asked: dict[Question, Any] = {}

    def where(self, column: str, equals: float | str) -> EventRows:
        """Return only the events whose column holds a number or a word."""
        return self._narrow("where", column, equals)

    def known(self, column: str) -> EventRows:
        """Return only the events whose column is not missing."""
        return self._narrow("known", column, 0)

    def first_of(self, column: str) -> EventRows:
        """Return only the events whose word the customer's earlier ones did not hold."""
        return self._narrow("first_of", column, 0)

    def visits(self, apart_days: float = 1.0) -> EventRows:
        """Return only the events that begin a visit, at least so long after the one before."""
        return self._narrow("visits", "", apart_days)

    def bounds(self, days: float | None = None, *, until: float = 0.0) -> tuple[Ints, Ints]:
        """Return first and last place (not included) of the window in the track, one a row."""
        return self._windows.bounds(days, until)

    def count(
        self, days: float | None = None, *, until: float = 0.0, after: Ints | None = None
    ) -> Floats:
        """Return how many events there are in the window."""
        if after is not None:
            return self._ask_after("count_after", "", after)
        return self._ask(("count", "", days, until, 0))

    def sum(
        self,
        column: str,
        days: float | None = None,
        *,
        until: float = 0.0,
        after: Ints | None = None,
    ) -> Floats:
        """Return the sum of a column over the window; what is missing adds nothing."""
        if after is not None:
            return self._ask_after("sum_after", column, after)
        return self._ask(("sum", column, days, until, 0))

    def mean(self, column: str, days: float | None = None, *, until: float = 0.0) -> Floats:
        """Return the mean of a column over the window, NaN where it has no number."""
        total = self._ask(("sum", column, days, until, 0))
        return ratio(total, self._ask(("present", column, days, until, 0)))

    def median(
        self, column: str, days: float | None = None, *, until: float = 0.0, skip_last: int = 0
    ) -> Floats:
        """Return the median of a column over the window, less its newest ``skip_last`` events."""
        return self._ask(("median", column, days, until, skip_last))

    def trend(self, column: str, days: float | None = None) -> Floats:
        """Return the slope of a column over time, as a share of its mean per 30 days."""
        return self._ask(("trend", column, days, 0.0, 0))

    def distinct(self, column: str, days: float | None = None, *, until: float = 0.0) -> Floats:
        """Return how many different words a column holds in the window."""
        return self._ask(("distinct", column, days, until, 0))

    def most_often(self, column: str, days: float | None = None, *, until: float = 0.0) -> Floats:
        """Return how many times the commonest word of a column occurs in the window."""
        return self._ask(("most_often", column, days, until, 0))

    def streak(self, column: str, equals: float, days: float | None = None) -> Floats:
        """Return how many of the newest events in a row hold a number."""
        return self._ask(("streak", column, days, 0.0, round(equals * scale(column))))

    def gaps(self, days: float | None = None) -> Gaps:
        """Return the gaps between neighbouring events of the window."""
        return Gaps(
            lambda: self._ask_once(("gap_moments", "", days, 0.0, 0)),
            lambda: self._ask_once(("gap_ranks", "", days, 0.0, 0)),
        )

    def last(self, column: str, nth: int = 1) -> Floats:
        """Return the number of the newest event (``nth=2``: the one before it)."""
        return self._ask(("last", column, None, 0.0, nth))

    def last_at(self, nth: int = 1) -> Ints:
        """Return the instant of the newest event, ``NEVER`` where there is none."""
        return cast("Ints", self._ask(("last_at", "", None, 0.0, nth)))

    def first_at(self, nth: int = 1) -> Ints:
        """Return the instant of the first event (``nth=2``: the second), ``NEVER`` if none."""
        return cast("Ints", self._ask(("first_at", "", None, 0.0, nth)))

    def since_last(self, nth: int = 1) -> Floats:
        """Return days from the newest event (``nth=2``: the one before it) to the cutoff."""
        since: Floats = self._ask_once(("since_last", "", None, 0.0, nth))
        return since

    def since_first(self) -> Floats:
        """Return days from the first event to the cutoff."""
        return self._ask(("since_first", "", None, 0.0, 1))

    def _ask(self, question: Question) -> Floats:
        answer: Floats | None = self._answers.get(question)
        if answer is None:
            answer = getattr(self._windows, question[0])(*question[1:])
        return answer

    def _ask_once(self, question: Question) -> Any:
        if question not in self._asked:
            self._asked[question] = self._ask(question)
        return self._asked[question]

    def _ask_after(self, name: str, column: str, after: Ints) -> Floats:
        answer: Floats = getattr(self._windows, name)(column, after)
        return answer

    @property
    def _track(self) -> PreparedTrack:
        return self._windows.track

    @cached_property
    def _windows(self) -> Windows:
        return Windows(self._find(), *self._rows)

    def _narrow(self, *step: *Step) -> EventRows:
        found = self._narrower.get(step)
        if found is None:
            find = partial(_narrowed, self._find, step)
            path = (*self._path, step)
            found = type(self)(path, find, *self._rows, answers=self._all_answers)
            self._narrower[step] = found
        return found


class Gaps:
    """Statistics of gaps between events, in days; NaN where there are too few gaps.

    Parameters
    ----------
    moments, ranks : callable
        Return :func:`scans.gap_moments` and :func:`scans.gap_ranks` of the window.
    """

    def __init__(self, moments: Callable[[], Three], ranks: Callable[[], Three]) -> None:
        self._moments = moments
        self._ranks = ranks

    def count(self) -> Floats:
        """Return the number of gaps."""
        return self._moments()[0]

    def mean(self) -> Floats:
        """Return the mean gap."""
        return self._moments()[1]

    def sd(self) -> Floats:
        """Return the standard deviation (n - 1)."""
        return self._moments()[2]

    def median(self) -> Floats:
        """Return the median gap."""
        return self._ranks()[0]

    def spread(self) -> Floats:
        """Return the median distance of the gaps from their median."""
        return self._ranks()[1]

    def longest(self) -> Floats:
        """Return the longest gap."""
        return self._ranks()[2]

    def robust_z(self, silence: Floats) -> Floats:
        """Return a silence less the median gap, in robust standard deviations of at least a day.

        1.4826 times the spread estimates the standard deviation of a normal distribution
        (Rousseeuw, Croux: "Alternatives to the median absolute deviation", JASA 88, 1993).
        """
        return (silence - self.median()) / np.maximum(_NORMAL * self.spread(), 1.0)


def _narrowed(find: Callable[[], PreparedTrack], step: Step) -> PreparedTrack:
    return find().narrowed(*step)


def ratio(above: NDArray[Any], below: NDArray[Any]) -> Floats:
    """Return ``above / below``, NaN where ``below`` is zero or either is missing.

    Examples
    --------
    >>> ratio(np.array([1.0, 1.0]), np.array([4.0, 0.0])).tolist()
    [0.25, nan]
    """
    if isinstance(above, Formula) or isinstance(below, Formula):
        return cast("Floats", written("ratio", above, below))
    return kernel.ratios(np.asarray(above, np.float64), np.asarray(below, np.float64))


def days_between(start: Ints, end: Ints) -> Floats:
    """Return days from one instant to another, NaN where either is ``NEVER``.

    Examples
    --------
    >>> days_between(np.array([0, NEVER]), np.array([DAY_US, DAY_US])).tolist()
    [1.0, nan]
    """
    if isinstance(start, Formula):
        return cast("Floats", written("days_between", start, end))
    there = (start != NEVER) & (end != NEVER)
    between: Floats = np.where(there, (end - np.where(there, start, end)) / DAY_US, np.nan)
    return between
