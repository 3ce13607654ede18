"""The compiled loops: binary search, window scans and the passes that prepare a track.

Each loop reads integers in sort order and writes one number a row, so a row's bits do not depend on
its neighbours. No fastmath, no threads inside; ``nogil`` lets callers run blocks side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.events.timeline import MISSING

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Floats = NDArray[np.float64]
_Loop = TypeVar("_Loop", bound=Callable[..., Any])

VERSION = 1
"""Part of every signal's digest; raised when a loop's result changes."""

YEAR_DAYS = 365.2425
GAP_STATS = ("count", "mean", "sd", "median", "spread", "longest")
"""What :func:`gap_statistics` returns, in order."""

_DAY = float(DAY_US)
_GONE = int(MISSING)
_FAR = int(np.iinfo(np.int64).max)
_FEW = 32


def compiled(loop: _Loop) -> _Loop:
    """Compile a loop, cached on disk where a folder for the cache can be written."""
    try:
        return numba.njit(cache=True, nogil=True)(loop)  # type: ignore[no-any-return]
    except RuntimeError:  # numba found no folder it may write to
        return numba.njit(nogil=True)(loop)  # type: ignore[no-any-return]


@compiled
def first_at(occurred: Ints, low: Ints, high: Ints, instants: Ints) -> Ints:
    """Return, for each row, the first place in ``[low, high)`` that is at or after an instant."""
    found = np.empty(len(low), dtype=np.int64)
    for row in range(len(low)):
        a, b, instant = low[row], high[row], instants[row]
        while a < b:
            middle = (a + b) >> 1
            if occurred[middle] < instant:
                a = middle + 1
            else:
                b = middle
        found[row] = a
    return found


@compiled
def places(end: Ints, first: Ints, nth: int) -> Ints:
    """Return the place of each row's nth newest event, -1 where it has fewer."""
    found = np.empty(len(end), dtype=np.int64)
    for row in range(len(end)):
        place = end[row] - nth
        found[row] = place if place >= first[row] else -1
    return found


@compiled
def days_since(occurred: Ints, places: Ints, cutoffs: Ints) -> Floats:
    """Return days from the event at a place to the cutoff, NaN where the place is -1."""
    result = np.empty(len(places))
    for row in range(len(places)):
        place = places[row]
        result[row] = (cutoffs[row] - occurred[place]) / _DAY if place >= 0 else np.nan
    return result


@compiled
def window_sum(sums: Ints, low: Ints, high: Ints, scale: float) -> Floats:
    """Return the sum over the window from prefix sums."""
    result = np.empty(len(low))
    for row in range(len(low)):
        result[row] = (sums[high[row]] - sums[low[row]]) / scale
    return result


@compiled
def ratios(above: Floats, below: Floats) -> Floats:
    """Return ``above / below``, NaN where ``below`` is zero."""
    result = np.empty(len(above))
    for row in range(len(above)):
        result[row] = above[row] / below[row] if below[row] != 0.0 else np.nan
    return result


@compiled
def latest_received(received: Ints, offsets: Ints) -> Ints:
    """Return, for each event, the newest ``received`` of its customer's events up to it."""
    latest = received.copy()
    for customer in range(len(offsets) - 1):
        for place in range(offsets[customer] + 1, offsets[customer + 1]):
            latest[place] = max(latest[place], latest[place - 1])
    return latest


@compiled
def window_distinct(previous: Ints, low: Ints, high: Ints) -> Floats:
    """Count different words: events in the window whose word was not in the window before."""
    result = np.empty(len(low))
    for row in range(len(low)):
        different = 0
        for place in range(low[row], high[row]):
            if previous[place] < low[row]:
                different += 1
        result[row] = different
    return result


@compiled
def window_most_often(previous: Ints, low: Ints, high: Ints) -> Floats:
    """Return the largest number of times that one word occurs in the window, 0 without words."""
    result = np.empty(len(low))
    times = np.empty(_longest(low, high), dtype=np.int64)
    for row in range(len(low)):
        most = 0
        for place in range(low[row], high[row]):
            before = previous[place]
            if before < place:  # a missing word has its place before past every window
                seen = times[before - low[row]] if before >= low[row] else 0
                times[place - low[row]] = seen + 1
                most = max(most, seen + 1)
        result[row] = most
    return result


@compiled
def window_median(values: Ints, low: Ints, high: Ints, scale: float) -> Floats:
    """Return the median of the numbers in the window, NaN where there is none."""
    result = np.empty(len(low))
    taken = np.empty(_longest(low, high), dtype=np.int64)
    for row in range(len(low)):
        count = 0
        for place in range(low[row], high[row]):
            if values[place] != _GONE:
                taken[count] = values[place]
                count += 1
        _sort(taken, count)
        result[row] = _middle(taken, count) / scale if count else np.nan
    return result


@compiled
def window_trend(occurred: Ints, values: Ints, low: Ints, high: Ints) -> Floats:
    """Return the least-squares slope over time, as a share of the mean per 30 days.

    NaN with fewer than three numbers, no time between them, or a mean of zero.
    """
    result = np.empty(len(low))
    for row in range(len(low)):
        result[row] = _slope(occurred, values, low[row], high[row])
    return result


@compiled
def window_streak(values: Ints, low: Ints, high: Ints, wanted: int) -> Floats:
    """Count the newest events in a row, back from the window's end, that have the number."""
    result = np.empty(len(low))
    for row in range(len(low)):
        place = high[row]
        while place > low[row] and values[place - 1] == wanted:
            place -= 1
        result[row] = high[row] - place
    return result


@compiled
def gap_statistics(occurred: Ints, low: Ints, high: Ints) -> Floats:
    """Return statistics of the gaps between neighbouring events of the window, in days.

    Shape (6, n), rows as in ``GAP_STATS``: count, mean, standard deviation (n - 1), median, spread
    (median distance from the median), longest. NaN where there are too few gaps.
    """
    result = np.full((6, len(low)), np.nan)
    gaps = np.empty(_longest(low, high), dtype=np.int64)
    for row in range(len(low)):
        count = max(high[row] - low[row] - 1, 0)
        result[0, row] = count
        if count == 0:
            continue
        for i in range(count):
            gaps[i] = occurred[low[row] + i + 1] - occurred[low[row] + i]
        mean = (occurred[high[row] - 1] - occurred[low[row]]) / count / _DAY
        result[1, row] = mean
        if count > 1:
            squares = 0.0
            for i in range(count):
                squares += (gaps[i] / _DAY - mean) ** 2
            result[2, row] = math.sqrt(squares / (count - 1))
        _sort(gaps, count)
        result[3, row] = _middle(gaps, count) / _DAY
        result[4, row] = _spread(gaps, count) / _DAY
        result[5, row] = gaps[count - 1] / _DAY
    return result


@compiled
def visit_starts(occurred: Ints, offsets: Ints, apart: int) -> NDArray[np.bool_]:
    """Mark events that begin a visit: at least ``apart`` after the start of the one before."""
    starts = np.zeros(len(occurred), dtype=np.bool_)
    for customer in range(len(offsets) - 1):
        begun = np.int64(0)
        for place in range(offsets[customer], offsets[customer + 1]):
            if place == offsets[customer] or occurred[place] - begun >= apart:
                starts[place] = True
                begun = occurred[place]
    return starts


@compiled
def season(cutoffs: Ints) -> Floats:
    """Return sine and cosine of the time of year, then of twice its angle; shape (4, n).

    The angle is 0 at the turn of the year 1970 and comes round every 365.2425 days.
    """
    result = np.empty((4, len(cutoffs)))
    for row in range(len(cutoffs)):
        days = cutoffs[row] / _DAY
        angle = 2.0 * math.pi * (days / YEAR_DAYS - math.floor(days / YEAR_DAYS))
        result[0, row] = math.sin(angle)
        result[1, row] = math.cos(angle)
        result[2, row] = math.sin(2.0 * angle)
        result[3, row] = math.cos(2.0 * angle)
    return result


@compiled
def _longest(low: Ints, high: Ints) -> int:
    """Return the number of events in the largest window."""
    longest = 0
    for row in range(len(low)):
        longest = max(longest, high[row] - low[row])
    return longest


@compiled
def _sort(numbers: Ints, count: int) -> None:
    """Sort the first numbers in place; most windows hold few, where insertion is quickest."""
    if count > _FEW:
        numbers[:count].sort()
        return
    for i in range(1, count):
        number = numbers[i]
        j = i
        while j > 0 and numbers[j - 1] > number:
            numbers[j] = numbers[j - 1]
            j -= 1
        numbers[j] = number


@compiled
def _middle(ordered: Ints, count: int) -> float:
    """Return the median of the first, sorted, whole numbers."""
    half = count // 2
    if count % 2:
        return float(ordered[half])
    return float((ordered[half - 1] + ordered[half]) / 2.0)


@compiled
def _spread(ordered: Ints, count: int) -> float:
    """Return the median distance from the median, walking outwards from it through sorted numbers.

    Distances are doubled, so that they stay whole where the median lies between two numbers.
    """
    half = count // 2
    twice = ordered[half] * 2 if count % 2 else ordered[half - 1] + ordered[half]
    above = half
    below = half - 1
    nearest = before = ordered[half] * 0
    for _ in range(half + 1):
        before = nearest
        up = ordered[above] * 2 - twice if above < count else _FAR
        down = twice - ordered[below] * 2 if below >= 0 else _FAR
        if up <= down:
            nearest = up
            above += 1
        else:
            nearest = down
            below -= 1
    return float(nearest / 2.0 if count % 2 else (before + nearest) / 4.0)


@compiled
def _slope(occurred: Ints, values: Ints, low: int, high: int) -> float:
    count, days, total = 0, 0.0, 0.0
    for place in range(low, high):
        if values[place] != _GONE:
            count += 1
            days += (occurred[place] - occurred[low]) / _DAY
            total += values[place]
    if count < 3 or total == 0.0:
        return np.nan
    mean_day, mean = days / count, total / count
    across, along = 0.0, 0.0
    for place in range(low, high):
        if values[place] != _GONE:
            off = (occurred[place] - occurred[low]) / _DAY - mean_day
            across += off * (values[place] - mean)
            along += off * off
    if along == 0.0:
        return np.nan
    return float(across / along / mean * 30.0)
