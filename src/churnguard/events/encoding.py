"""Words as integers: each different word of a column gets a number, in the order they first occur.

Ids are many and mostly different, which is where hashing costs; columns of many rows are therefore
encoded by compiled loops, one a processor, straight from Arrow's own memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from churnguard.compiled import compiled, processors, side_by_side

Codes = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

MANY_ROWS = 100_000
"""From so many rows on, one thread a processor is worth its start."""

_NUMBER = 0xFFFFFFFF
_AHEAD = 64
_SEED = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_MIX = np.uint64(0x9E3779B97F4A7C15)


def encode(column: pa.ChunkedArray) -> tuple[pa.Array, Codes]:
    """Return the different words of a column and each row's place among them, -1 where null.

    Parameters
    ----------
    column : pyarrow.ChunkedArray
        Strings, or a dictionary of strings.

    Returns
    -------
    words : pyarrow.Array
        In no stated order; a dictionary may hold words that no row has.
    codes : ndarray of int32, shape (rows,)
        Place of each row's word.

    Examples
    --------
    >>> words, codes = encode(pa.chunked_array([["b", None, "a"], ["b"]]))
    >>> words.to_pylist(), codes.tolist()
    (['b', 'a'], [0, -1, 1, 0])
    """
    if pa.types.is_dictionary(column.type):
        return _from_dictionary(column)
    if not pa.types.is_string(column.type) or len(column) < MANY_ROWS:
        return _from_dictionary(column.dictionary_encode())
    return _encode_many(column)


def ranked(column: pa.ChunkedArray) -> tuple[pa.Array, Codes, Codes]:
    """Return the words that occur, sorted by their UTF-8 bytes, and what leads rows to them.

    Returns
    -------
    words : pyarrow.Array
        Sorted; each occurs.
    rank : ndarray of int32
        Place among the words by code.
    codes : ndarray of int32, shape (rows,)
        A row's word is ``words[rank[code]]``.
    """
    words, codes = encode(column)
    order = pc.sort_indices(words).to_numpy()
    occurs = np.zeros(len(words), dtype=bool)
    occurs[codes] = True
    order = order[occurs[order]]
    rank = np.zeros(max(len(words), 1), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return words.take(pa.array(order)), rank, codes


def text_buffers(column: pa.Array) -> tuple[NDArray[Any], Bytes]:
    """Return where each word of an array of strings begins, and the bytes, without a copy."""
    _, starts, data = column.buffers()
    width = np.int64 if pa.types.is_large_string(column.type) else np.int32
    begins = np.frombuffer(starts, width)[column.offset : column.offset + len(column) + 1]
    return begins, np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)


def _from_dictionary(column: pa.ChunkedArray) -> tuple[pa.Array, Codes]:
    joined = column.unify_dictionaries().combine_chunks() if column.num_chunks != 1 else column
    whole = joined.chunk(0) if isinstance(joined, pa.ChunkedArray) else joined
    codes = whole.indices.fill_null(-1) if whole.null_count else whole.indices
    return whole.dictionary, codes.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)


def _encode_many(column: pa.ChunkedArray) -> tuple[pa.Array, Codes]:
    """Encode stretches of rows side by side, then give equal words of theirs one number."""
    codes = np.empty(len(column), dtype=np.int32)
    stretches = _stretches(column)
    firsts = side_by_side(lambda part: _encode_part(part[1], codes[part[0]]), stretches)
    found = [part.take(pa.array(first)) for (_, part), first in zip(stretches, firsts, strict=True)]
    every = pa.chunked_array(found, pa.string()).dictionary_encode().unify_dictionaries()
    words, numbers = _from_dictionary(every)
    start = 0
    for place, ((rows, _), first) in enumerate(zip(stretches, firsts, strict=True)):
        if place:  # the first stretch has given the words their numbers
            _renumber(codes[rows], numbers[start : start + len(first)])
        start += len(first)
    return words, codes


def _stretches(column: pa.ChunkedArray) -> list[tuple[slice, pa.Array]]:
    """Return stretches of rows: each within a chunk, at least one a processor."""
    most = max(len(column) // processors() + 1, MANY_ROWS // 2)
    parts, start = [], 0
    for chunk in column.chunks:
        for begin in range(0, len(chunk), most):
            part = chunk.slice(begin, most)
            parts.append((slice(start, start + len(part)), part))
            start += len(part)
    return parts


def _encode_part(part: pa.Array, codes: Codes) -> Ints:
    """Write the codes of a stretch, and return the row at which each word first occurs."""
    begins, data = text_buffers(part)
    if not part.null_count:
        return _numbered(begins, data, np.zeros(0, np.bool_), codes)
    missing = part.is_null().to_numpy(zero_copy_only=False)
    return _numbered(begins, data, missing, codes)


@compiled
def _numbered(
    begins: NDArray[np.int32], data: Bytes, missing: NDArray[np.bool_], codes: Codes
) -> Ints:
    """Give the words numbers, by open addressing.

    A slot is 31 bits of the hash and the word's number; the different words' bytes are kept
    together, so that what is looked at again and again stays in the processor's cache.
    """
    slots = 1024
    reached = np.zeros(3, dtype=np.int64)  # rows, words, letters
    table = np.full(slots, -1, dtype=np.int64)
    hashes = np.empty(slots, dtype=np.uint64)
    firsts = np.empty(slots, dtype=np.int64)
    starts = np.zeros(slots + 1, dtype=np.int64)
    letters = np.empty(slots * 16, dtype=np.uint8)
    while True:
        _number_some(begins, data, missing, codes, table, hashes, firsts, starts, letters, reached)
        row, words, used = reached
        if row == len(codes):
            return firsts[:words].copy()
        slots *= 4
        table = _spread(hashes[:words], slots)
        hashes, firsts = _longer(hashes, slots), _longer(firsts, slots)
        starts = _longer(starts, slots + 1)
        room = max(4 * len(letters), used + begins[row + 1] - begins[row])
        letters = _longer(letters, room)


@compiled
def _number_some(  # noqa: PLR0917 - a loop over arrays that are never replaced is quicker
    begins: NDArray[np.int32],
    data: Bytes,
    missing: NDArray[np.bool_],
    codes: Codes,
    table: Ints,
    hashes: NDArray[np.uint64],
    firsts: Ints,
    starts: Ints,
    letters: Bytes,
    reached: Ints,
) -> None:
    """Give words numbers, row by row, until the table or the letters are full."""
    last, count, used = len(table) - 1, reached[1], reached[2]
    ahead = np.empty(_AHEAD, dtype=np.uint64)
    for row in range(reached[0], len(codes)):
        step = (row - reached[0]) % _AHEAD
        if step == 0:
            _look_ahead(begins, data, table, starts, letters, ahead, row)
        if len(missing) and missing[row]:
            codes[row] = -1
            continue
        begin, length = begins[row], begins[row + 1] - begins[row]
        value = ahead[step]
        tag = np.int64(value >> np.uint64(33))
        slot = np.int64(value & np.uint64(last))
        found = table[slot]
        while found >= 0:
            if found >> 32 == tag:
                start = starts[found & _NUMBER]
                same = starts[(found & _NUMBER) + 1] - start == length
                for letter in range(length):
                    if not same or letters[start + letter] != data[begin + letter]:
                        same = False
                        break
                if same:
                    break
            slot = (slot + 1) & last
            found = table[slot]
        if found < 0:
            if 4 * count > last or used + length > len(letters):
                reached[0], reached[1], reached[2] = row, count, used
                return
            found = (tag << 32) | count
            table[slot], hashes[count], firsts[count] = found, value, row
            for letter in range(length):
                letters[used + letter] = data[begin + letter]
            used += length
            count += 1
            starts[count] = used
        codes[row] = found & _NUMBER
    reached[0], reached[1], reached[2] = len(codes), count, used


@compiled
def _look_ahead(  # noqa: PLR0917 - compiled loops take what they read by position
    begins: NDArray[np.int32],
    data: Bytes,
    table: Ints,
    starts: Ints,
    letters: Bytes,
    ahead: NDArray[np.uint64],
    row: int,
) -> int:
    """Hash the next rows, and touch what they will need: memory answers many at a time."""
    rows, last = min(len(ahead), len(begins) - 1 - row), np.uint64(len(table) - 1)
    places = np.empty(len(ahead), dtype=np.int64)
    touched = 0
    for step in range(rows):
        ahead[step] = _hash(data, begins[row + step], begins[row + step + 1])
    for step in range(rows):
        places[step] = table[ahead[step] & last]
    for step in range(rows):
        places[step] = starts[max(places[step], 0) & _NUMBER]
    for step in range(rows):
        touched += letters[places[step]]
    return touched


@compiled
def _spread(hashes: NDArray[np.uint64], slots: int) -> Ints:
    """Return a table of so many slots with all words in it."""
    table = np.full(slots, -1, dtype=np.int64)
    for number in range(len(hashes)):
        tag = np.int64(hashes[number] >> np.uint64(33))
        table[_free(table, hashes[number])] = (tag << 32) | number
    return table


@compiled
def _free(table: Ints, value: np.uint64) -> np.int64:
    """Return the first free slot for a hash."""
    slot = np.int64(value & np.uint64(len(table) - 1))
    while table[slot] >= 0:
        slot = (slot + 1) & (len(table) - 1)
    return slot


@compiled
def _longer(numbers: NDArray[Any], length: int) -> NDArray[Any]:
    more = np.zeros(length, dtype=numbers.dtype)
    more[: len(numbers)] = numbers
    return more


@compiled
def _hash(data: Bytes, begin: int, end: int) -> np.uint64:
    """Return the FNV-1a hash of some bytes, its bits mixed once more for the low ones to differ."""
    value = _SEED
    for place in range(begin, end):
        value = (value ^ np.uint64(data[place])) * _PRIME
    value = (value ^ (value >> np.uint64(32))) * _MIX
    return value ^ (value >> np.uint64(29))


@compiled
def _renumber(codes: Codes, numbers: Codes) -> None:
    for row in range(len(codes)):
        if codes[row] >= 0:
            codes[row] = numbers[codes[row]]
