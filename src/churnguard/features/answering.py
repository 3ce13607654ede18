"""Many questions about one customer, answered by one compiled call with the kernel's own loops.

The events lie in one table, kind after kind; narrowed kinds are copied behind them. A question is a
row of integers, as :mod:`churnguard.features.questions` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from churnguard.compiled import compiled
from churnguard.events.sorting import first_at
from churnguard.events.timeline import MISSING
from churnguard.features import kernel, scans
from churnguard.features.formulas import compute

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
_Events = tuple[Ints, Ints]
_Rows = tuple[Ints, Ints, Ints]

ARGUMENTS = 8
"""Integers a question: which, path, column, begin, end, one more, the column's scale, place."""

STEPS: Mapping[str, int] = {"where": 0, "known": 1, "first_of": 2, "visits": 3}
"""How a kind of event is narrowed, by name."""

QUESTIONS: Mapping[str, int] = {
    name: place
    for place, name in enumerate(
        (
            *("count", "sum", "present", "median", "trend", "distinct", "most_often", "streak"),
            *("gap_moments", "gap_ranks", "count_after", "sum_after"),
            *("last", "since_last", "last_at", "first_at", "since_first"),
        )
    )
}
"""What can be asked, by name: of a window, of the newest events, of the first ones."""

OF_ROWS: Mapping[str, tuple[int, int]] = {"cutoff": (-1, 1), "season": (-2, 4)}
"""What is known of a row without its events, by name: its number, and how many it says."""

INSTANTS = frozenset({"last_at", "first_at"})
"""Questions that are answered by an instant."""

_GONE = int(MISSING)
_WHERE, _FIRST_OF, _VISITS = STEPS["where"], STEPS["first_of"], STEPS["visits"]
_COUNT, _SUM, _PRESENT = QUESTIONS["count"], QUESTIONS["sum"], QUESTIONS["present"]
_MEDIAN, _TREND, _STREAK = QUESTIONS["median"], QUESTIONS["trend"], QUESTIONS["streak"]
_DISTINCT, _MOMENTS, _RANKS = (QUESTIONS[n] for n in ("distinct", "gap_moments", "gap_ranks"))
_COUNT_AFTER, _SUM_AFTER = QUESTIONS["count_after"], QUESTIONS["sum_after"]
_CUTOFF, _SEASON = OF_ROWS["cutoff"][0], OF_ROWS["season"][0]
_LAST, _LAST_AT, _FIRST_AT = QUESTIONS["last"], QUESTIONS["last_at"], QUESTIONS["first_at"]


@compiled
def answer(
    numbers: Ints, edges: Ints, steps: Ints, program: tuple[Ints, Ints, Floats], cutoffs: Ints
) -> tuple[Floats, Ints]:
    """Answer questions about the one customer whose events these are.

    Parameters
    ----------
    numbers : ndarray of int64, shape (columns + 1, events)
        Instants, then the columns; events of a kind are neighbours, in the order of time.
    edges : ndarray of int64, shape (kinds + 1,)
        Where each kind begins and ends.
    steps : ndarray of int64, shape (narrowed, 4)
        Parent, how, column, and to what; a parent stands before its children.
    program : tuple of ndarray
        Questions, shape (questions, 8): see :data:`ARGUMENTS`; formulas and constants: see
        :class:`churnguard.features.questions.Questions`.
    cutoffs : ndarray of int64, shape (n,)
        Microseconds UTC.

    Returns
    -------
    numbers : ndarray of float64, shape (places, n)
        What is not an instant.
    instants : ndarray of int64, shape (places, n)
        What is.
    """
    questions, formulas, blank = program
    table, starts, ends = _narrowed(numbers, edges, steps)
    found = np.empty((len(blank), len(cutoffs)))
    for place in range(len(blank)):
        found[place] = blank[place]
    instants = np.full((len(blank), len(cutoffs)), _GONE)
    nowhere = np.zeros(len(cutoffs), dtype=np.int64)
    for question in range(len(questions)):
        asked = questions[question]
        if asked[0] == _CUTOFF:
            found[asked[7]] = cutoffs
            continue
        if asked[0] == _SEASON:
            found[asked[7] : asked[7] + 4] = kernel.season(cutoffs)
            continue
        kind = asked[1]
        occurred = table[0][starts[kind] : ends[kind]]
        column = table[asked[2]][starts[kind] : ends[kind]]
        end = first_at(occurred, nowhere, nowhere + len(occurred), cutoffs)
        if asked[0] == _COUNT_AFTER or asked[0] == _SUM_AFTER:
            _since(asked, (occurred, column), (nowhere, end), instants[asked[5]], found)
        elif asked[0] < _LAST:
            _of_window(asked, (occurred, column), (nowhere, end, cutoffs), found)
        else:
            _of_an_event(asked, (occurred, column), (nowhere, end, cutoffs), found, instants)
    compute(formulas, found, instants)
    return found, instants


@compiled
def _since(
    asked: Ints, events: _Events, window: tuple[Ints, Ints], after: Ints, found: Floats
) -> None:
    """Answer a question about what came after an instant that is an answer itself."""
    occurred, column = events
    first, end = window
    low = first_at(occurred, first, end, after + 1)
    if asked[0] == _COUNT_AFTER:
        found[asked[7]] = kernel.window_count(low, end)
    else:
        found[asked[7]] = kernel.window_sum(kernel.prefix_sums(column), low, end, asked[6])


@compiled
def _narrowed(numbers: Ints, edges: Ints, steps: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the table with narrowed kinds behind, and where each kind begins and ends."""
    kinds = len(edges) - 1
    starts = np.empty(kinds + len(steps), dtype=np.int64)
    ends = np.empty(kinds + len(steps), dtype=np.int64)
    starts[:kinds], ends[:kinds] = edges[:-1], edges[1:]
    sizes = ends - starts
    room = edges[-1]
    for step in range(len(steps)):
        sizes[kinds + step] = sizes[steps[step, 0]]
        room += sizes[kinds + step]
    table = np.empty((len(numbers), room), dtype=np.int64)
    table[:, : edges[-1]] = numbers
    place = edges[-1]
    for step in range(len(steps)):
        parent = steps[step, 0]
        first, last = starts[parent], ends[parent]
        keeps = _keeps(table[0][first:last], table[steps[step, 2]][first:last], steps[step])
        starts[kinds + step] = place
        for event in range(last - first):
            if keeps[event]:
                for column in range(len(table)):
                    table[column, place] = table[column, first + event]
                place += 1
        ends[kinds + step] = place
    return table, starts, ends


@compiled
def _keeps(occurred: Ints, column: Ints, step: Ints) -> Mask:
    """Mark the events that a step keeps."""
    whole = np.array([0, len(occurred)])
    how, to_what = step[1], step[3]
    keeps = np.empty(len(occurred), dtype=np.bool_)
    if how == _VISITS:
        keeps[:] = kernel.visit_starts(occurred, whole, to_what)
    elif how == _FIRST_OF:
        keeps[:] = kernel.previous_places(column, whole) == -1
    else:
        keeps[:] = (column == to_what) == (how == _WHERE)
    return keeps


@compiled
def _of_window(asked: Ints, events: _Events, rows: _Rows, found: Floats) -> None:
    """Answer a question about a window."""
    occurred, column = events
    first, end, cutoffs = rows
    what, more, unit, place = asked[0], asked[5], asked[6], asked[7]
    low = first_at(occurred, first, end, cutoffs - asked[3]) if asked[3] >= 0 else first
    high = first_at(occurred, first, end, cutoffs - asked[4]) if asked[4] > 0 else end
    if what == _COUNT:
        found[place] = kernel.window_count(low, high)
    elif what == _SUM:
        found[place] = kernel.window_sum(kernel.prefix_sums(column), low, high, unit)
    elif what == _PRESENT:
        found[place] = kernel.window_sum(kernel.prefix_counts(column), low, high, 1)
    elif what == _MEDIAN:
        found[place] = scans.window_median(column, low, np.maximum(high - more, low), unit)
    elif what == _TREND:
        found[place] = scans.window_trend(occurred, column, low, high)
    elif what == _STREAK:
        found[place] = scans.window_streak(column, low, high, more)
    else:
        _of_words_or_gaps(what, place, events, (low, high), found)


@compiled
def _of_words_or_gaps(
    what: int, place: int, events: _Events, window: tuple[Ints, Ints], found: Floats
) -> None:
    occurred, column = events
    low, high = window
    if what == _MOMENTS:
        three = scans.gap_moments(occurred, low, high)
        found[place], found[place + 1], found[place + 2] = three
    elif what == _RANKS:
        three = scans.gap_ranks(occurred, low, high)
        found[place], found[place + 1], found[place + 2] = three
    else:
        before = kernel.previous_places(column, np.array([0, len(column)]))
        if what == _DISTINCT:
            found[place] = scans.window_distinct(before, low, high)
        else:
            found[place] = scans.window_most_often(before, low, high)


@compiled
def _of_an_event(asked: Ints, events: _Events, rows: _Rows, found: Floats, instants: Ints) -> None:
    """Answer a question about the nth event from the end, or from the beginning."""
    occurred, column = events
    first, end, cutoffs = rows
    what, nth, unit, place = asked[0], asked[5], asked[6], asked[7]
    if what <= _LAST_AT:
        places = kernel.places(end, first, nth)
    else:
        places = np.where(first + (nth - 1) < end, first + (nth - 1), -1)
    if what == _LAST:
        found[place] = kernel.numbers_at(column, places, unit)
    elif what == _LAST_AT or what == _FIRST_AT:  # noqa: PLR1714, SIM109 - faster compiled
        instants[place] = kernel.instants_at(occurred, places)
    else:
        found[place] = kernel.days_since(occurred, places, cutoffs)
