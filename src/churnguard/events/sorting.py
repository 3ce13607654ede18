"""Sorting events by (kind, customer, instant, id), and searching what is sorted.

Events are dealt out to their group, a kind and a customer, by counting, which costs the same
however many groups there are; what is left to sort are the few events of each. Stretches of rows
are dealt out, and stretches of groups sorted, side by side.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churnguard.compiled import compiled, processors, side_by_side
from churnguard.events.encoding import MANY_ROWS, Bytes, text_buffers

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]

_FEW = 24


def sort_events(
    group: Ints, groups: int, occurred: Ints, event_id: pa.ChunkedArray
) -> tuple[Ints, Ints, Ints]:
    """Return the order of events by (group, occurred, event_id).

    Parameters
    ----------
    group : ndarray of int64, shape (n,)
        From 0 on.
    groups : int
        How many groups there are.
    occurred : ndarray of int64, shape (n,)
        Instants.
    event_id : pyarrow.ChunkedArray of str
        Settles ties, compared by UTF-8 bytes.

    Returns
    -------
    edges : ndarray of int64, shape (groups + 1,)
        Group ``g`` has the places ``edges[g]`` to ``edges[g + 1]``.
    rows : ndarray of int64, shape (n,)
        The row at each place.
    instants : ndarray of int64, shape (n,)
        ``occurred`` at each place.

    Examples
    --------
    >>> ids = pa.chunked_array([["b", "a", "c"]])
    >>> edges, rows, _ = sort_events(np.array([1, 1, 0]), 2, np.array([5, 5, 9]), ids)
    >>> edges.tolist(), rows.tolist()
    ([0, 1, 3], [2, 1, 0])
    """
    edges, rows, instants = _dealt(group, groups, occurred)
    if not _each(edges, lambda first, last: _sort_instants(edges, rows, instants, first, last)):
        return edges, rows, instants
    ids = text_buffers(event_id.cast(pa.large_string()).combine_chunks())
    _each(edges, lambda first, last: _sort_ties(edges, rows, instants, *ids, first, last))
    return edges, rows, instants


@compiled
def first_at(occurred: Ints, low: Ints, high: Ints, instants: Ints) -> Ints:
    """Return, for each row, the first place in ``[low, high)`` that is at or after an instant.

    Rows of one customer that follow one another begin at the place found for the row before.
    """
    found = np.empty(len(low), dtype=np.int64)
    a, b = np.int64(0), np.int64(0)
    for row in range(len(low)):
        instant = instants[row]
        hint = a if row and low[row] == low[row - 1] else np.int64(-1)
        a, b = low[row], high[row]
        if hint >= a and hint <= b:
            if hint == b or occurred[hint] >= instant:
                b = hint
                if hint > a and occurred[hint - 1] < instant:
                    a = hint
            else:
                a = hint + 1
                if a < b and occurred[a] >= instant:
                    b = a
        while a < b:
            middle = (a + b) >> 1
            if occurred[middle] < instant:
                a = middle + 1
            else:
                b = middle
        found[row] = a
    return found


def _dealt(group: Ints, groups: int, occurred: Ints) -> tuple[Ints, Ints, Ints]:
    """Put rows into their groups, those of one group in the order given."""
    rows, instants = np.empty_like(occurred), np.empty_like(occurred)
    parts = _stretches(len(occurred))
    starts = np.stack(side_by_side(lambda part: _counted(group[part], groups), parts))
    edges = np.zeros(groups + 1, dtype=np.int64)
    np.cumsum(starts.sum(axis=0), out=edges[1:])
    _begin(starts, edges)

    def deal(place: int) -> None:
        part = parts[place]
        _deal(group[part], occurred[part], part.start, starts[place], rows, instants)

    side_by_side(deal, range(len(parts)))
    return edges, rows, instants


def _each(edges: Ints, work: Callable[[int, int], bool]) -> bool:
    """Do some work on stretches of groups of about as many events, and tell if any says so."""
    cuts = [0, *np.searchsorted(edges, [p.stop for p in _stretches(int(edges[-1]))[:-1]])]
    ends = [*cuts[1:], len(edges) - 1]
    return any(side_by_side(lambda cut: work(*cut), list(zip(cuts, ends, strict=True))))


def _stretches(count: int) -> list[slice]:
    threads = processors() if count >= MANY_ROWS else 1
    return [slice(count * i // threads, count * (i + 1) // threads) for i in range(threads)]


@compiled
def _counted(group: Ints, groups: int) -> Ints:
    counts = np.zeros(groups, dtype=np.int64)
    for row in range(len(group)):
        counts[group[row]] += 1
    return counts


@compiled
def _begin(starts: Ints, edges: Ints) -> None:
    """Turn counts by stretch and group into the place at which each stretch begins in a group."""
    for group in range(starts.shape[1]):
        place = edges[group]
        for part in range(starts.shape[0]):
            count = starts[part, group]
            starts[part, group] = place
            place += count


@compiled
def _deal(  # noqa: PLR0917 - compiled loops take what they read by position
    group: Ints, occurred: Ints, first_row: int, starts: Ints, rows: Ints, instants: Ints
) -> None:
    for row in range(len(group)):
        place = starts[group[row]]
        starts[group[row]] = place + 1
        rows[place] = first_row + row
        instants[place] = occurred[row]


@compiled
def _sort_instants(edges: Ints, rows: Ints, instants: Ints, first: int, last: int) -> bool:
    """Sort the events of some groups by instant, and tell if any two of a group have the same."""
    tied = False
    for group in range(first, last):
        low, high = edges[group], edges[group + 1]
        if high - low > _FEW:
            order = np.argsort(instants[low:high], kind="mergesort")
            instants[low:high] = instants[low:high][order]
            rows[low:high] = rows[low:high][order]
        else:
            for i in range(low + 1, high):
                instant, row = instants[i], rows[i]
                j = i
                while j > low and instants[j - 1] > instant:
                    instants[j], rows[j] = instants[j - 1], rows[j - 1]
                    j -= 1
                instants[j], rows[j] = instant, row
        for place in range(low + 1, high):
            tied |= instants[place] == instants[place - 1]
    return tied


@compiled
def _sort_ties(  # noqa: PLR0917
    edges: Ints, rows: Ints, instants: Ints, begins: Ints, letters: Bytes, first: int, last: int
) -> bool:
    """Sort events of a group with the same instant by id."""
    place = edges[first]
    for group in range(first, last):
        while place < edges[group + 1]:
            stop = place + 1
            while stop < edges[group + 1] and instants[stop] == instants[place]:
                stop += 1
            if stop - place > 1:
                _sort_ids(rows, place, stop, begins, letters)
            place = stop
    return False


@compiled
def _sort_ids(rows: Ints, low: int, high: int, begins: Ints, letters: Bytes) -> None:
    """Sort rows by their ids: merging runs that double in length, from single rows on."""
    source, target = rows[low:high].copy(), rows[low:high].copy()
    count, width = high - low, 1
    while width < count:
        for start in range(0, count, 2 * width):
            middle, end = min(start + width, count), min(start + 2 * width, count)
            one, other = start, middle
            for place in range(start, end):
                if one < middle and (
                    other >= end or not _before(begins, letters, source[other], source[one])
                ):
                    target[place] = source[one]
                    one += 1
                else:
                    target[place] = source[other]
                    other += 1
        source, target = target, source
        width *= 2
    rows[low:high] = source


@compiled
def _before(begins: Ints, letters: Bytes, one: int, other: int) -> bool:
    """Tell if one id comes before another by its bytes."""
    a, b = begins[one], begins[other]
    length, rest = begins[one + 1] - a, begins[other + 1] - b
    for step in range(min(length, rest)):
        if letters[a + step] != letters[b + step]:
            return bool(letters[a + step] < letters[b + step])
    return bool(length < rest)
