"""The compiled loops that prepare a track, find places in it, and add up between them.

Each loop writes one number a row, and a row's bits do not depend on its neighbours. The loops that
look at a window's own events are :mod:`churnguard.features.scans`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.compiled import compiled
from churnguard.events.timeline import MISSING

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Floats = NDArray[np.float64]

VERSION = 1
"""Part of every signal's digest; raised when a loop's result changes, here or in a scan."""

YEAR_DAYS = 365.2425

_DAY = float(DAY_US)
_GONE = int(MISSING)
_FAR = int(np.iinfo(np.int64).max)


@compiled
def order_rows(customers: Codes, cutoffs: Ints, known: int) -> Ints:
    """Return the order of rows by (customer, cutoff), equal ones in the order given."""
    if _are_in_order(customers, cutoffs):
        return np.arange(len(customers))
    starts = np.zeros(known + 1, dtype=np.int64)
    for customer in customers:
        starts[customer + 1] += 1
    for customer in range(known):
        starts[customer + 1] += starts[customer]
    order = np.empty(len(customers), dtype=np.int64)
    ends = starts[:-1].copy()
    for row in range(len(customers)):
        order[ends[customers[row]]] = row
        ends[customers[row]] += 1
    for customer in range(known):
        own = order[starts[customer] : starts[customer + 1]]
        for place in range(1, len(own)):
            if cutoffs[own[place]] < cutoffs[own[place - 1]]:
                own[:] = own[np.argsort(cutoffs[own], kind="mergesort")]
                break
    return order


@compiled
def _are_in_order(customers: Codes, cutoffs: Ints) -> bool:
    for row in range(1, len(customers)):
        if customers[row] < customers[row - 1]:
            return False
        if customers[row] == customers[row - 1] and cutoffs[row] < cutoffs[row - 1]:
            return False
    return True


@compiled
def cuts(customers: Codes, order: Ints, events: Ints, most_rows: int, most_events: int) -> Ints:
    """Return where to cut rows in order between customers, at about so many rows or events."""
    found = [np.int64(0)]
    start = 0
    for place in range(1, len(order)):
        customer = customers[order[place]]
        if customer == customers[order[place - 1]]:
            continue
        wide = events[customer + 1] - events[customers[order[start]]] > most_events
        if wide or place - start >= most_rows:
            found.append(np.int64(place))
            start = place
    found.append(np.int64(len(order)))
    return np.array(found)


@compiled
def put(column: Floats, places: Ints, numbers: Floats) -> None:
    """Write numbers to places of a column; places that follow one another are one stretch."""
    first, follow = places[0], True
    for row in range(len(places)):
        follow &= places[row] == first + row
    if follow:
        column[first : first + len(places)] = numbers
    else:
        for row in range(len(places)):
            column[places[row]] = numbers[row]


@compiled
def validity(column: Floats) -> tuple[NDArray[np.uint8], int]:
    """Return a bitmap of the numbers that are not NaN, lowest bit first, and how many are."""
    bits = np.zeros((len(column) + 7) // 8, dtype=np.uint8)
    there = 0
    for place in range(len(bits)):
        eight = 0
        for step in range(min(8, len(column) - 8 * place)):
            number = column[8 * place + step]
            eight |= (number == number) << step  # noqa: PLR0124 - NaN is not itself
            there += number == number  # noqa: PLR0124
        bits[place] = eight
    return bits, len(column) - there


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
def numbers_at(numbers: Ints, places: Ints, scale: float) -> Floats:
    """Return the numbers at some places, NaN where the place is -1 or the number is missing."""
    result = np.empty(len(places))
    for row in range(len(places)):
        number = numbers[places[row]] if places[row] >= 0 else _GONE
        result[row] = number / scale if number != _GONE else np.nan
    return result


@compiled
def instants_at(occurred: Ints, places: Ints) -> Ints:
    """Return the instants at some places, the earliest there is where the place is -1."""
    result = np.empty(len(places), dtype=np.int64)
    for row in range(len(places)):
        result[row] = occurred[places[row]] if places[row] >= 0 else _GONE
    return result


@compiled
def prefix_sums(numbers: Ints) -> Ints:
    """Return the sums of the first numbers, from none to all; what is missing adds nothing."""
    sums = np.zeros(len(numbers) + 1, dtype=np.int64)
    for place in range(len(numbers)):
        number = numbers[place]
        sums[place + 1] = sums[place] + (number if number != _GONE else 0)
    return sums


@compiled
def prefix_counts(numbers: Ints) -> Ints:
    """Return how many of the first numbers are not missing, from none to all."""
    counts = np.zeros(len(numbers) + 1, dtype=np.int64)
    for place in range(len(numbers)):
        counts[place + 1] = counts[place] + (numbers[place] != _GONE)
    return counts


@compiled
def kept(mask: NDArray[np.bool_], offsets: Ints) -> tuple[Ints, Ints]:
    """Return the places that a mask keeps, and where each customer's begin among them."""
    places = np.empty(len(mask), dtype=np.int64)
    begins = np.empty(len(offsets), dtype=np.int64)
    count = 0
    for customer in range(len(offsets) - 1):
        begins[customer] = count
        for place in range(offsets[customer], offsets[customer + 1]):
            places[count] = place
            count += mask[place]
    begins[len(offsets) - 1] = count
    return places[:count], begins


@compiled
def window_count(low: Ints, high: Ints) -> Floats:
    """Return how many events there are in the window."""
    result = np.empty(len(low))
    for row in range(len(low)):
        result[row] = high[row] - low[row]
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
def any_late(occurred: Ints, received: Ints) -> bool:
    """Tell if any event was received after it occurred."""
    for place in range(len(occurred)):  # noqa: SIM110 - numba compiles no generators
        if received[place] > occurred[place]:
            return True
    return False


@compiled
def latest_received(received: Ints, offsets: Ints) -> Ints:
    """Return, for each event, the newest ``received`` of its customer's events up to it."""
    latest = received.copy()
    for customer in range(len(offsets) - 1):
        for place in range(offsets[customer] + 1, offsets[customer + 1]):
            latest[place] = max(latest[place], latest[place - 1])
    return latest


@compiled
def previous_places(codes: Codes | Ints, offsets: Ints) -> Ints:
    """Return the place of the customer's event before with the same word, -1 for the first.

    A missing word is no word: its place before is set past every window, so it never counts.
    """
    words = 0
    for code in codes:
        words = max(words, code + 1)
    last = np.full(words, -1, dtype=np.int64)
    previous = np.empty(len(codes), dtype=np.int64)
    for customer in range(len(offsets) - 1):
        for place in range(offsets[customer], offsets[customer + 1]):
            code = codes[place]
            if code < 0:
                previous[place] = _FAR
            else:
                previous[place] = last[code] if last[code] >= offsets[customer] else -1
                last[code] = place
    return previous


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
