"""Words of a few bytes as one integer each: what hashing and sorting ids comes down to for most.

Words lie in Arrow's memory one behind the other; they are read as blocks of eight bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnguard.compiled import compiled

Codes = NDArray[np.int32]
Ints = NDArray[np.int64]
Blocks = NDArray[np.uint64]

Text = tuple[NDArray[np.int32], Blocks, np.uint64, NDArray[np.bool_]]
"""Where words begin, the blocks of bytes, what is left of them, and which rows have no word."""

SHORT = 7
"""Words of so many bytes fit, with their length, into one integer."""

AHEAD = 64
"""So many rows' memory is asked for together."""

PRIME = np.uint64(0xFF51AFD7ED558CCD)
MIX = np.uint64(0x9E3779B97F4A7C15)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_NONE, _BYTE = np.uint64(0), np.uint64(0xFF)


@compiled
def longest(begins: NDArray[Any]) -> int:
    """Return the number of bytes of the longest word."""
    length = 0
    for row in range(len(begins) - 1):
        length = max(length, begins[row + 1] - begins[row])
    return length


@compiled
def in_byte_order(begins: NDArray[Any], blocks: Blocks, tail: np.uint64) -> Blocks:
    """Return short words as integers whose order is that of their bytes, then of their length."""
    keys = np.empty(len(begins) - 1, dtype=np.uint64)
    for row in range(len(keys)):
        begin, end = np.int64(begins[row]), np.int64(begins[row + 1])
        letters, key = block(blocks, tail, begin, end) if end > begin else _NONE, _NONE
        for _ in range(SHORT):
            key = (key << np.uint64(8)) | (letters & _BYTE)
            letters >>= np.uint64(8)
        keys[row] = (key << np.uint64(8)) | np.uint64(end - begin)
    return keys


@compiled
def short_numbered(text: Text, codes: Codes) -> Ints:
    """Give short words numbers, as longer ones get them: a slot is the word and its number."""
    slots = 1024
    reached = np.zeros(3, dtype=np.int64)  # rows, words, what was touched
    table, firsts = np.zeros(2 * slots, dtype=np.uint64), np.empty(slots, dtype=np.int64)
    while True:
        _number_some_short(text, codes, (table, firsts), reached)
        if reached[0] == len(codes):
            return firsts[: reached[1]].copy()
        slots *= 2
        table, firsts = _spread_short(table), longer(firsts, slots)


@compiled
def _number_some_short(
    text: Text, codes: Codes, tables: tuple[Blocks, Ints], reached: Ints
) -> None:
    """Give short words numbers, row by row, until the table is half full."""
    begins, blocks, tail, missing = text
    table, firsts = tables
    slots, count, touched = len(table) >> 1, reached[1], _NONE
    rows, places = np.empty(AHEAD, dtype=np.int64), np.empty(AHEAD, dtype=np.int64)
    keys = np.empty(AHEAD, dtype=np.uint64)
    first = reached[0]
    while first < len(codes):
        stop, present = min(first + AHEAD, len(codes)), 0
        for row in range(first, stop):
            rows[present] = row
            present += 1 if len(missing) == 0 or not missing[row] else 0
        for step in range(present):
            begin, end = np.int64(begins[rows[step]]), np.int64(begins[rows[step] + 1])
            letters = block(blocks, tail, begin, end) if end > begin else _NONE
            keys[step] = letters | (np.uint64(end - begin) << np.uint64(56))
            places[step] = _slot(keys[step], slots)
        for step in range(present):  # memory answers many requests at a time
            touched ^= table[2 * places[step]]
        for step in range(present):
            slot = places[step]
            while table[2 * slot + 1] and table[2 * slot] != keys[step]:
                slot = (slot + 1) & (slots - 1)
            if not table[2 * slot + 1]:
                if 2 * count >= slots:
                    reached[0], reached[1] = rows[step], count
                    return
                table[2 * slot], firsts[count] = keys[step], rows[step]
                count += 1
                table[2 * slot + 1] = np.uint64(count)
            codes[rows[step]] = np.int64(table[2 * slot + 1]) - 1
        first = stop
    reached[0], reached[1], reached[2] = len(codes), count, np.int64(touched)


@compiled
def _slot(key: np.uint64, slots: int) -> np.int64:
    value = (key ^ (key >> np.uint64(32))) * PRIME
    value = (value ^ (value >> np.uint64(29))) * MIX
    return np.int64(value >> np.uint64(32)) & (slots - 1)


@compiled
def _spread_short(table: Blocks) -> Blocks:
    """Return a table of twice as many slots with the same words in it."""
    slots = len(table)
    more = np.zeros(2 * slots, dtype=np.uint64)
    for old in range(slots >> 1):
        if table[2 * old + 1]:
            slot = _slot(table[2 * old], slots)
            while more[2 * slot + 1]:
                slot = (slot + 1) & (slots - 1)
            more[2 * slot], more[2 * slot + 1] = table[2 * old], table[2 * old + 1]
    return more


@compiled
def block(blocks: Blocks, tail: np.uint64, at: np.int64, end: np.int64) -> np.uint64:
    """Return the next eight bytes of a word, zeros after its end, from two aligned blocks."""
    place, shift = at >> 3, np.uint64((at & 7) << 3)
    one = blocks[place] if place < len(blocks) else tail
    two = blocks[place + 1] if place + 1 < len(blocks) else tail
    both = (one >> shift) | ((two << np.uint64(1)) << (np.uint64(63) - shift))
    return both & (_ALL >> np.uint64((8 - min(int(end - at), 8)) << 3))


@compiled
def longer(numbers: NDArray[Any], length: int) -> NDArray[Any]:
    """Return numbers with zeros behind, so many in all."""
    more = np.zeros(length, dtype=numbers.dtype)
    more[: len(numbers)] = numbers
    return more
