"""The compiled loops that scan the events of a window: what is distinct, in the middle, in a row.

Each loop reads integers in sort order and writes one number a row, so a row's bits do not depend on
its neighbours: a row whose window is that of the row before has the same number, and only saves the
work of finding it again.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.compiled import compiled
from churnguard.events.timeline import MISSING

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_DAY = float(DAY_US)
_GONE = int(MISSING)
_FAR = int(np.iinfo(np.int64).max)
_FEW = 32


@compiled
def window_distinct(previous: Ints, low: Ints, high: Ints) -> Floats:
    """Count different words: events in the window whose word was not in the window before."""
    result = np.empty(len(low))
    for row in range(len(low)):
        different, place, stop = 0, low[row], high[row]
        while place < stop:
            different += previous[place] < low[row]
            place += 1
        result[row] = different
    return result


@compiled
def window_most_often(previous: Ints, low: Ints, high: Ints) -> Floats:
    """Return the largest number of times that one word occurs in the window, 0 without words."""
    result = np.empty(len(low))
    times = np.empty(_longest(low, high), dtype=np.int64)
    for row in range(len(low)):
        if _same_window(low, high, row):
            result[row] = result[row - 1]
            continue
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
        place, stop = low[row], high[row]
        if row > 0 and place == low[row - 1] and stop == high[row - 1]:
            result[row] = result[row - 1]
            continue
        count, few = 0, stop - place <= _FEW
        while place < stop:
            number = values[place]
            if number != _GONE:
                spot = count
                while few and spot > 0 and taken[spot - 1] > number:
                    taken[spot] = taken[spot - 1]
                    spot -= 1
                taken[spot] = number
                count += 1
            place += 1
        if not few:
            taken[:count].sort()
        result[row] = _middle(taken, count) / scale if count else np.nan
    return result


@compiled
def window_trend(occurred: Ints, values: Ints, low: Ints, high: Ints) -> Floats:
    """Return the least-squares slope over time, as a share of the mean per 30 days.

    NaN with fewer than three numbers, no time between them, or a mean of zero.
    """
    result = np.empty(len(low))
    for row in range(len(low)):
        if _same_window(low, high, row):
            result[row] = result[row - 1]
        else:
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
def gap_moments(occurred: Ints, low: Ints, high: Ints) -> tuple[Floats, Floats, Floats]:
    """Return number, mean and standard deviation (n - 1) of the gaps of the window, in days.

    Gaps are those between neighbouring events. NaN where there are too few.
    """
    counts = np.empty(len(low))
    means = np.full(len(low), np.nan)
    deviations = np.full(len(low), np.nan)
    for row in range(len(low)):
        first, count = low[row], high[row] - low[row] - 1
        counts[row] = max(count, 0)
        if row > 0 and first == low[row - 1] and high[row] == high[row - 1]:
            means[row], deviations[row] = means[row - 1], deviations[row - 1]
        elif count > 0:
            mean = (occurred[first + count] - occurred[first]) / count / _DAY
            means[row] = mean
            squares, place = 0.0, first
            while place < first + count:
                squares += ((occurred[place + 1] - occurred[place]) / _DAY - mean) ** 2
                place += 1
            if count > 1:
                deviations[row] = math.sqrt(squares / (count - 1))
    return counts, means, deviations


@compiled
def gap_ranks(occurred: Ints, low: Ints, high: Ints) -> tuple[Floats, Floats, Floats]:
    """Return median, spread and longest of the gaps of the window, in days.

    The spread is their median distance from the median. NaN where there is no gap.
    """
    medians = np.full(len(low), np.nan)
    spreads = np.full(len(low), np.nan)
    longest = np.full(len(low), np.nan)
    gaps = np.empty(_longest(low, high), dtype=np.int64)
    taken = 0
    for row in range(len(low)):
        first, count = low[row], high[row] - low[row] - 1
        if row > 0 and first == low[row - 1] and high[row] == high[row - 1]:
            medians[row], spreads[row] = medians[row - 1], spreads[row - 1]
            longest[row] = longest[row - 1]
        elif count > 0:
            few = count <= _FEW
            if row == 0 or first != low[row - 1] or taken > count or not few:
                taken = 0  # else the gaps of the row before are in order already
            while taken < count:
                gap = occurred[first + taken + 1] - occurred[first + taken]
                spot = taken
                while few and spot > 0 and gaps[spot - 1] > gap:
                    gaps[spot] = gaps[spot - 1]
                    spot -= 1
                gaps[spot] = gap
                taken += 1
            if not few:
                gaps[:count].sort()
            medians[row] = _middle(gaps, count) / _DAY
            spreads[row] = _spread(gaps, count) / _DAY
            longest[row] = gaps[count - 1] / _DAY
        else:
            taken = 0
    return medians, spreads, longest


@compiled
def _same_window(low: Ints, high: Ints, row: int) -> bool:
    return row > 0 and low[row] == low[row - 1] and high[row] == high[row - 1]


@compiled
def _longest(low: Ints, high: Ints) -> int:
    """Return the number of events in the largest window."""
    longest = 0
    for row in range(len(low)):
        longest = max(longest, high[row] - low[row])
    return longest


@compiled
def _middle(ordered: Ints, count: int) -> float:
    """Return the median of the first, sorted, whole numbers."""
    half = count >> 1
    if count & 1:
        return float(ordered[half])
    return float((ordered[half - 1] + ordered[half]) / 2.0)


@compiled
def _spread(ordered: Ints, count: int) -> float:
    """Return the median distance from the median, walking outwards from it through sorted numbers.

    Distances are doubled, so that they stay whole where the median lies between two numbers.
    """
    half = count >> 1
    odd = count & 1
    twice = ordered[half] * 2 if odd else ordered[half - 1] + ordered[half]
    above, below = half, half - 1
    nearest = before = ordered[half] * 0
    steps = 0
    while steps <= half:
        before = nearest
        up = ordered[above] * 2 - twice if above < count else _FAR
        down = twice - ordered[below] * 2 if below >= 0 else _FAR
        if up <= down:
            nearest = up
            above += 1
        else:
            nearest = down
            below -= 1
        steps += 1
    return float(nearest / 2.0 if odd else (before + nearest) / 4.0)


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
