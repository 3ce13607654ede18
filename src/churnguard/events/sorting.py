"""Sorting events by (kind, customer, instant, id), and searching what is sorted.

Events are dealt into buckets of neighbouring customers, and from there to their group, a kind and a
customer, by counting: those of a bucket about in the order of time, so that almost nothing is left
to sort within a group. A bucket fits the processor's cache; stretches of rows, and of buckets, are
worked on side by side.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churnguard.compiled import compiled, processors, side_by_side
from churnguard.errors import SchemaError
from churnguard.events.encoding import MANY_ROWS
from churnguard.events.ties import Ids, ids_of, settle_ties

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]

_BUCKET_EVENTS = 32_768
_FEW = 96
_SLICES = 2_048
_WALK = 8
_ROW = 0xFFFFFFFF


def sort_events(
    kind: Codes, customer: Codes, occurred: Ints, event_id: pa.ChunkedArray
) -> tuple[Ints, Ints, Ints]:
    """Return the order of events by (kind, customer, occurred, event_id).

    Parameters
    ----------
    kind, customer : ndarray of int32, shape (n,)
        Codes from 0 on, of which each occurs.
    occurred : ndarray of int64, shape (n,)
        Instants.
    event_id : pyarrow.ChunkedArray of str
        Settles ties, compared by UTF-8 bytes.

    Returns
    -------
    edges : ndarray of int64, shape (kinds * customers + 1,)
        The events of a kind and customer, the group ``kind * customers + customer``, have the
        places ``edges[group]`` to ``edges[group + 1]``.
    rows : ndarray of int64, shape (n,)
        The row at each place.
    instants : ndarray of int64, shape (n,)
        ``occurred`` at each place.

    Raises
    ------
    SchemaError
        If there are more than two billion events, or kinds times customers.

    Examples
    --------
    >>> ids = pa.chunked_array([["b", "a", "c"]])
    >>> nobody_else, one_kind = np.zeros(3, np.int32), np.zeros(3, np.int32)
    >>> edges, rows, _ = sort_events(one_kind, nobody_else, np.array([5, 5, 2]), ids)
    >>> edges.tolist(), rows.tolist()
    ([0, 3], [2, 1, 0])
    """
    kinds, customers = int(kind.max(initial=-1)) + 1, int(customer.max(initial=-1)) + 1
    if max(len(kind), kinds * customers) >= 2**31:
        raise SchemaError(
            f"{len(kind):,} events of {customers:,} customers are too many to sort at once.",
            hint="Split them by customers, as the history does with its buckets.",
        )
    ids = ids_of(event_id)
    if len(kind) <= _BUCKET_EVENTS:
        return _sort_one_bucket((kind, customer, occurred), ids, (kinds, customers))
    size = (kinds, customers)
    shift = max(0, customers.bit_length() - (len(kind) // _BUCKET_EVENTS).bit_length())
    bounds, packed, instants = _in_buckets(
        kind, customer, occurred, customers=customers, shift=shift
    )
    parts = _even(bounds)
    counts = np.zeros(kinds * customers + 1, dtype=np.int64)
    side_by_side(lambda part: _count(packed, bounds, part, counts, (*size, shift)), parts)
    edges = np.cumsum(counts)
    rows, sorted_instants = np.empty_like(occurred), np.empty_like(occurred)
    target = (edges, rows, sorted_instants)
    side_by_side(
        lambda part: _sort_buckets((packed, instants, bounds), part, target, ids, (*size, shift)),
        parts,
    )
    return edges, rows, sorted_instants


@compiled
def first_at(occurred: Ints, low: Ints, high: Ints, instants: Ints) -> Ints:
    """Return, for each row, the first place in ``[low, high)`` that is at or after an instant.

    Rows of one customer in the order of their instants walk on from the place of the row before;
    where the walk would be long, and for other rows, the place is found by halving.
    """
    found = np.empty(len(low), dtype=np.int64)
    for row in range(len(low)):
        near = found[row - 1] if row > 0 and low[row] == low[row - 1] else low[row]
        found[row] = _first_near(occurred, low[row], high[row], instants[row], near)
    return found


@compiled
def first_before(
    occurred: Ints, customers: Codes, window: tuple[Ints, Ints], cutoffs: Ints, back: int
) -> Ints:
    """Return, for each row, the first place at or after an instant ``back`` before its cutoff.

    The window is each customer's first place, and the first one at or after the cutoff itself. An
    earlier row of the customer that has its cutoff at the instant, as on a grid of months, knows
    the place already.
    """
    low, end = window
    found = np.empty(len(low), dtype=np.int64)
    first = other = 0
    for row in range(len(low)):
        if customers[row] != customers[first]:
            first = other = row
        instant = cutoffs[row] - back
        while other < row and cutoffs[other] < instant:
            other += 1
        if cutoffs[other] == instant:
            found[row] = end[other]
        else:
            near = found[row - 1] if row > first else low[row]
            found[row] = _first_near(occurred, low[row], end[row], instant, near)
    return found


@compiled
def _first_near(occurred: Ints, low: int, high: int, instant: int, near: int) -> int:
    """Return the first place in ``[low, high)`` at or after an instant, seen from near it."""
    place = near
    if place > high or (place > low and occurred[place - 1] >= instant):
        place = low
    stop = min(high, place + _WALK)
    while place < stop and occurred[place] < instant:
        place += 1
    if place < stop:
        return place
    stop = high
    while place < stop:
        middle = (place + stop) >> 1
        if occurred[middle] < instant:
            place = middle + 1
        else:
            stop = middle
    return place


def _in_buckets(
    kind: Codes, customer: Codes, occurred: Ints, *, customers: int, shift: int
) -> tuple[Ints, Ints, Ints]:
    """Put events into buckets of neighbouring customers, few enough to be sorted in the cache.

    Returns where each bucket begins, then of each event its group within the bucket and its row
    (packed into one integer) and its instant.
    """
    count = len(occurred)
    buckets = (max(customers - 1, 0) >> shift) + 1
    threads = processors() if count >= MANY_ROWS else 1
    parts = [slice(count * i // threads, count * (i + 1) // threads) for i in range(threads)]
    sizes = side_by_side(lambda part: _bucket_sizes(customer[part], shift, buckets), parts)
    starts = np.cumsum(np.stack(sizes).T.ravel()).reshape(buckets, len(parts))
    bounds = np.concatenate([[0], starts[:, -1]])
    starts -= np.stack(sizes).T
    packed, instants = np.empty_like(occurred), np.empty_like(occurred)

    def deal(place: int) -> None:
        part = parts[place]
        events = (kind[part], customer[part], occurred[part])
        begins = np.ascontiguousarray(starts[:, place])
        _deal(events, begins, (packed, instants), (shift, part.start))

    side_by_side(deal, range(len(parts)))
    return bounds, packed, instants


def _even(edges: Ints) -> list[tuple[int, int]]:
    """Cut what lies between edges into stretches of about as many events, one a processor."""
    count = int(edges[-1])
    threads = processors() if count >= MANY_ROWS else 1
    inner = [int(np.searchsorted(edges, count * i // threads)) for i in range(1, threads)]
    return list(pairwise([0, *inner, len(edges) - 1]))


@compiled
def _bucket_sizes(customer: Codes, shift: int, buckets: int) -> Ints:
    sizes = np.zeros(buckets, dtype=np.int64)
    for code in customer:
        sizes[code >> shift] += 1
    return sizes


@compiled
def _deal(
    events: tuple[Codes, Codes, Ints],
    begins: Ints,
    dealt: tuple[Ints, Ints],
    size: tuple[int, int],
) -> None:
    kind, customer, occurred = events
    packed, instants = dealt
    shift, first_row = size
    for row in range(len(kind)):
        bucket = customer[row] >> shift
        place = begins[bucket]
        begins[bucket] = place + 1
        own = (np.int64(kind[row]) << shift) | (customer[row] - (bucket << shift))
        packed[place] = (own << 32) | (first_row + row)
        instants[place] = occurred[row]


@compiled
def _count(
    packed: Ints, bounds: Ints, part: tuple[int, int], counts: Ints, size: tuple[int, int, int]
) -> None:
    """Count events by group, each one place further on, where a sum makes edges of them."""
    kinds, customers, shift = size
    width = 1 << shift
    own = np.empty(kinds * width, dtype=np.int64)
    for bucket in range(part[0], part[1]):
        own[:] = 0
        for event in range(bounds[bucket], bounds[bucket + 1]):
            own[packed[event] >> 32] += 1
        first = bucket << shift
        for kind in range(kinds):
            for step in range(min(width, customers - first)):
                counts[kind * customers + first + step + 1] = own[kind * width + step]


@compiled
def _about_in_time(instants: Ints, slices: Ints) -> Codes:
    """Return the order of events by the slice of their bucket's time that they are in."""
    order = np.empty(len(instants), dtype=np.int32)
    if len(instants) == 0:
        return order
    oldest = newest = instants[0]
    for instant in instants:
        oldest, newest = min(oldest, instant), max(newest, instant)
    narrow = np.uint64(0)
    while (np.uint64(newest - oldest) >> narrow) >= _SLICES:
        narrow += np.uint64(1)
    slices[:] = 0
    for instant in instants:
        slices[np.int64(np.uint64(instant - oldest) >> narrow) + 1] += 1
    for number in range(_SLICES):
        slices[number + 1] += slices[number]
    for event in range(len(instants)):
        own = np.int64(np.uint64(instants[event] - oldest) >> narrow)
        order[slices[own]] = event
        slices[own] += 1
    return order


@compiled
def _hand_out(
    events: tuple[Ints, Ints], slices: Ints, begins: Ints, target: tuple[Ints, Ints]
) -> None:
    """Put the events of a bucket into their groups, about in the order of time."""
    packed, dealt = events
    rows, instants = target
    free = begins.copy()
    for event in _about_in_time(dealt, slices):
        group, instant = packed[event] >> 32, dealt[event]
        place = free[group]
        free[group] = place + 1
        stop = max(begins[group], place - _FEW)
        while place > stop and instants[place - 1] > instant:
            instants[place], rows[place] = instants[place - 1], rows[place - 1]
            place -= 1
        instants[place], rows[place] = instant, packed[event] & _ROW


@compiled
def _sort_buckets(
    events: tuple[Ints, Ints, Ints],
    part: tuple[int, int],
    target: tuple[Ints, Ints, Ints],
    ids: Ids,
    size: tuple[int, int, int],
) -> None:
    """Sort some buckets by group, instant and id."""
    packed, dealt, bounds = events
    edges, rows, instants = target
    kinds, customers, shift = size
    width = 1 << shift
    begins = np.zeros(kinds * width, dtype=np.int64)
    slices = np.empty(_SLICES + 1, dtype=np.int64)
    for bucket in range(part[0], part[1]):
        first = bucket << shift
        here = min(width, customers - first)
        for kind in range(kinds):
            for step in range(here):
                begins[kind * width + step] = edges[kind * customers + first + step]
        own = slice(bounds[bucket], bounds[bucket + 1])
        _hand_out((packed[own], dealt[own]), slices, begins, (rows, instants))
        for kind in range(kinds):
            group = kind * customers + first
            settle_ties(edges[group : group + here + 1], rows, instants, ids)


@compiled
def _sort_one_bucket(
    events: tuple[Codes, Codes, Ints], ids: Ids, size: tuple[int, int]
) -> tuple[Ints, Ints, Ints]:
    """Sort events that are few enough for one bucket, in one call."""
    kind, customer, occurred = events
    kinds, customers = size
    count, shift = len(occurred), 0
    while customers >> shift:
        shift += 1
    packed, dealt = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    _deal((kind, customer, occurred), np.zeros(1, dtype=np.int64), (packed, dealt), (shift, 0))
    bounds = np.array([0, count])
    edges = np.zeros(kinds * customers + 1, dtype=np.int64)
    if customers:
        _count(packed, bounds, (0, 1), edges, (kinds, customers, shift))
    for group in range(kinds * customers):
        edges[group + 1] += edges[group]
    rows, instants = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    if customers:
        target = (edges, rows, instants)
        _sort_buckets((packed, dealt, bounds), (0, 1), target, ids, (kinds, customers, shift))
    return edges, rows, instants
