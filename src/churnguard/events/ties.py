"""Events of one group at one instant: their order is that of their ids' bytes.

Ids lie all over memory. The first eight bytes of many are fetched together, step by step, so that
memory answers many requests at a time; most ties are settled by them alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churnguard.compiled import compiled
from churnguard.events.encoding import Blocks, Bytes, joined, text_blocks, text_buffers
from churnguard.events.short_words import block

Ints = NDArray[np.int64]

Ids = tuple[NDArray[Any], Bytes, Blocks, np.uint64]
"""Where ids begin, their bytes, the same as blocks of eight, and what is left of them."""

_FEW = 96
_BYTES = np.uint64(0x00FF00FF00FF00FF)
_PAIRS = np.uint64(0x0000FFFF0000FFFF)


def ids_of(column: pa.ChunkedArray) -> Ids:
    """Return ids as the compiled loops read them, copied only if they are in several pieces."""
    words = column if pa.types.is_string(column.type) else column.cast(pa.large_string())
    begins, letters = text_buffers(joined(words).chunk(0))
    return begins, letters, *text_blocks(letters)


@compiled
def settle_ties(edges: Ints, rows: Ints, instants: Ints, ids: Ids) -> None:
    """Sort neighbouring groups that are not sorted by instant yet, and ties by id."""
    size = edges[-1] - edges[0]
    starts, ends = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    runs = 0
    for group in range(len(edges) - 1):
        begin, end = edges[group], edges[group + 1]
        if end - begin > _FEW and not _is_sorted(instants[begin:end]):
            order = np.argsort(instants[begin:end], kind="mergesort")
            instants[begin:end] = instants[begin:end][order]
            rows[begin:end] = rows[begin:end][order]
        place = begin + 1
        while place < end:
            if instants[place] == instants[place - 1]:
                starts[runs] = place - 1
                while place < end and instants[place] == instants[place - 1]:
                    place += 1
                ends[runs] = place
                runs += 1
            place += 1
    if runs:
        _settle(starts[:runs], ends[:runs], rows, ids)


@compiled
def _is_sorted(instants: Ints) -> bool:
    for place in range(1, len(instants)):  # noqa: SIM110 - numba compiles no generators
        if instants[place] < instants[place - 1]:
            return False
    return True


@compiled
def _settle(starts: Ints, ends: Ints, rows: Ints, ids: Ids) -> None:
    """Sort runs of events with the same instant by id."""
    heads = _heads(starts, ends, rows, ids)
    begins, letters, _, _ = ids
    count = 0
    for run in range(len(starts)):
        size = ends[run] - starts[run]
        own, mine = heads[count : count + size], rows[starts[run] : ends[run]]
        if size > _FEW:
            mine[:] = mine[_by_id(own, mine, begins, letters)]
        else:
            _insert(own, mine, begins, letters)
        count += size


@compiled
def _heads(starts: Ints, ends: Ints, rows: Ints, ids: Ids) -> Blocks:
    """Return the first eight bytes of ids as numbers in the order of the bytes."""
    begins, _, blocks, tail = ids
    total = (ends - starts).sum()
    at, stop = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    heads = np.empty(total, dtype=np.uint64)
    count = 0
    for run in range(len(starts)):
        for place in range(starts[run], ends[run]):
            at[count], stop[count] = begins[rows[place]], begins[rows[place] + 1]
            count += 1
    last = len(blocks) - 1
    for event in range(total):  # only fetched: what is read here is read again below
        heads[event] = blocks[min(at[event] >> 3, last)] if last >= 0 else tail
    for event in range(total):
        if stop[event] > at[event]:
            heads[event] = _reversed(block(blocks, tail, at[event], stop[event]))
        else:
            heads[event] = np.uint64(0)
    return heads


@compiled
def _reversed(eight: np.uint64) -> np.uint64:
    """Return eight bytes in the opposite order."""
    one, two, four = np.uint64(8), np.uint64(16), np.uint64(32)
    eight = ((eight & _BYTES) << one) | ((eight >> one) & _BYTES)
    eight = ((eight & _PAIRS) << two) | ((eight >> two) & _PAIRS)
    return (eight << four) | (eight >> four)


@compiled
def _insert(heads: Blocks, rows: Ints, begins: Ints, letters: Bytes) -> None:
    """Sort a few rows by their ids."""
    for place in range(1, len(rows)):
        head, row, spot = heads[place], rows[place], place
        while spot > 0 and (
            heads[spot - 1] > head
            or (heads[spot - 1] == head and _before(begins, letters, row, rows[spot - 1]))
        ):
            heads[spot], rows[spot] = heads[spot - 1], rows[spot - 1]
            spot -= 1
        heads[spot], rows[spot] = head, row


@compiled
def _by_id(heads: Blocks, rows: Ints, begins: Ints, letters: Bytes) -> Ints:
    """Return the order of many rows by their ids: merging runs that double in length."""
    source, target = np.arange(len(rows)), np.arange(len(rows))
    count, width = len(rows), 1
    while width < count:
        for start in range(0, count, 2 * width):
            middle, end = min(start + width, count), min(start + 2 * width, count)
            one, other = start, middle
            for place in range(start, end):
                take = other >= end
                if one < middle and not take:
                    a, b = source[one], source[other]
                    take = heads[a] < heads[b] or (
                        heads[a] == heads[b] and not _before(begins, letters, rows[b], rows[a])
                    )
                if one < middle and take:
                    target[place] = source[one]
                    one += 1
                else:
                    target[place] = source[other]
                    other += 1
        source, target = target, source
        width *= 2
    return source


@compiled
def _before(begins: Ints, letters: Bytes, one: int, other: int) -> bool:
    """Tell if one id comes before another by its bytes."""
    a, b = begins[one], begins[other]
    length, rest = begins[one + 1] - a, begins[other + 1] - b
    for step in range(min(length, rest)):
        if letters[a + step] != letters[b + step]:
            return bool(letters[a + step] < letters[b + step])
    return bool(length < rest)
