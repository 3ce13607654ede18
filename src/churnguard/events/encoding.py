"""Words as integers: each different word of a column gets a number, in the order they first occur.

Ids are many and mostly different, which is where hashing costs; columns of many rows are therefore
encoded by compiled loops, one a processor, straight from Arrow's own memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from churnguard.compiled import compiled, processors, side_by_side
from churnguard.events.short_words import (
    AHEAD,
    MIX,
    PRIME,
    SHORT,
    Text,
    block,
    in_byte_order,
    longer,
    longest,
    short_numbered,
)

Codes = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Blocks = NDArray[np.uint64]
_Tables = tuple[Ints, Blocks, Ints, Codes, Blocks]

MANY_ROWS = 100_000
"""From so many rows on, one thread a processor is worth its start."""

_FEW_WORDS = 64
_MOST_BYTES = 2**31
_NUMBER = 0xFFFFFFFF
_SEED = np.uint64(0xCBF29CE484222325)


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
    return _encode_many(joined(column) if column.nbytes < _MOST_BYTES else column)


def joined(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of strings in one piece; it is copied only if it is in several.

    Examples
    --------
    >>> joined(pa.chunked_array([["b", "a"], ["b"]])).num_chunks
    1
    """
    if column.num_chunks == 1:
        return column
    if column.nbytes >= _MOST_BYTES:
        column = column.cast(pa.large_string())
    return pa.chunked_array([column.combine_chunks()])


def encode_few(column: pa.Array) -> tuple[Ints, Codes]:
    """Return the row at which each word first occurs, and each row's place among the words.

    For the few rows of one customer, Arrow's own steps would cost more to call than to do.

    Examples
    --------
    >>> firsts, codes = encode_few(pa.array(["b", None, "a", "b"]))
    >>> firsts.tolist(), codes.tolist()
    ([0, 2], [0, -1, 1, 0])
    """
    codes = np.full(len(column), -1, dtype=np.int32)
    return _encode_part(column, codes), codes


def ranked(column: pa.ChunkedArray) -> tuple[pa.Array, Codes]:
    """Return the words that occur, sorted by their UTF-8 bytes, and each row's place among them.

    Examples
    --------
    >>> words, codes = ranked(pa.chunked_array([["b", "a", "b"]]))
    >>> words.to_pylist(), codes.tolist()
    (['a', 'b'], [1, 0, 1])
    """
    if _is_one_word(column):
        return column.chunk(0).slice(0, 1), np.zeros(len(column), dtype=np.int32)
    words, codes = encode(column)
    occurs = np.ones(len(words), dtype=bool)
    if pa.types.is_dictionary(column.type):
        occurs = _occurring(codes, len(words))
    order, ordered = _in_order(words, occurs)
    rank = np.zeros(len(words), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    if not codes.flags.writeable:
        codes = codes.copy()
    if len(codes) < MANY_ROWS:
        _renumber(codes, rank)
    else:
        side_by_side(lambda part: _renumber(part, rank), np.array_split(codes, processors()))
    return ordered, codes


@compiled
def _occurring(codes: Codes, words: int) -> NDArray[np.bool_]:
    """Mark the words that some row has."""
    occurs = np.zeros(words, dtype=np.bool_)
    for code in codes:
        if code >= 0:
            occurs[code] = True
    return occurs


def _is_one_word(column: pa.ChunkedArray) -> bool:
    """Tell if a short column holds the same word in every row: one customer's id."""
    rows = len(column)
    if not 0 < rows < MANY_ROWS or column.num_chunks != 1 or column.null_count:
        return False
    if not pa.types.is_string(column.type):
        return False
    return bool(_are_the_same(*text_buffers(column.chunk(0))))


@compiled
def _are_the_same(begins: NDArray[Any], letters: Bytes) -> bool:
    width = begins[1] - begins[0]
    for row in range(1, len(begins) - 1):
        if begins[row + 1] - begins[row] != width:
            return False
        for step in range(width):
            if letters[begins[row] + step] != letters[begins[0] + step]:
                return False
    return True


def _in_order(words: pa.Array, occurs: NDArray[np.bool_]) -> tuple[NDArray[Any], pa.Array]:
    """Return the order of the words that occur, and these."""
    if len(words) <= _FEW_WORDS:  # Arrow's own steps cost more to call than this to do
        few = words.to_pylist()
        those = sorted(np.flatnonzero(occurs).tolist(), key=few.__getitem__)
        return np.array(those, dtype=np.int64), pa.array([few[i] for i in those], words.type)
    begins, blocks, tail = _blocks(words)
    if longest(begins) <= SHORT:
        order = np.argsort(in_byte_order(begins, blocks, tail), kind="stable")
    else:
        order = pc.sort_indices(words).to_numpy()
    order = order[occurs[order]]
    return order, words.take(pa.array(order))


def text_buffers(column: pa.Array) -> tuple[NDArray[Any], Bytes]:
    """Return where each word of an array of strings begins, and the bytes, without a copy."""
    _, starts, data = column.buffers()
    width = np.int64 if pa.types.is_large_string(column.type) else np.int32
    begins = np.frombuffer(starts, width)[column.offset : column.offset + len(column) + 1]
    letters = np.frombuffer(data if data is not None else b"", np.uint8)
    begins.flags.writeable = letters.flags.writeable = False  # one kind of array, compiled once
    return begins, letters


def text_blocks(letters: Bytes) -> tuple[Blocks, np.uint64]:
    """Return bytes as whole blocks of eight, and what is left."""
    blocks = letters[: len(letters) // 8 * 8].view(np.uint64)
    return blocks, np.uint64(int.from_bytes(letters[len(blocks) * 8 :].tobytes(), "little"))


def _from_dictionary(column: pa.ChunkedArray) -> tuple[pa.Array, Codes]:
    joined = column.unify_dictionaries().combine_chunks() if column.num_chunks != 1 else column
    whole = joined.chunk(0) if isinstance(joined, pa.ChunkedArray) else joined
    codes = whole.indices.fill_null(-1) if whole.null_count else whole.indices
    return whole.dictionary, codes.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)


def _encode_many(column: pa.ChunkedArray) -> tuple[pa.Array, Codes]:
    """Encode stretches of rows side by side, then give equal words of theirs one number."""
    codes = np.full(len(column), -1, dtype=np.int32)
    stretches = _stretches(column)
    firsts = side_by_side(lambda part: _encode_part(part[1], codes[part[0]]), stretches)
    found = [part.take(pa.array(first)) for (_, part), first in zip(stretches, firsts, strict=True)]
    words, numbers = _joined(found)
    start = 0
    for place, ((rows, _), first) in enumerate(zip(stretches, firsts, strict=True)):
        if place:  # the first stretch has given the words their numbers
            _renumber(codes[rows], numbers[start : start + len(first)])
        start += len(first)
    return words, codes


def _joined(found: Sequence[pa.Array]) -> tuple[pa.Array, Codes]:
    """Return the different words of several arrays, and the number of each word in turn."""
    if sum(part.nbytes for part in found) >= _MOST_BYTES:
        every = pa.chunked_array(found, pa.string()).dictionary_encode()
        return _from_dictionary(every.unify_dictionaries())
    joined = pa.concat_arrays(found)
    numbers = np.empty(len(joined), dtype=np.int32)
    return joined.take(pa.array(_encode_part(joined, numbers))), numbers


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
    begins, blocks, tail = _blocks(part)
    missing = np.zeros(0, dtype=np.bool_)
    if part.null_count:
        missing = part.is_null().to_numpy(zero_copy_only=False)
    numbered = short_numbered if longest(begins) <= SHORT else _numbered
    return numbered((begins, blocks, tail, missing), codes)


def _blocks(part: pa.Array) -> tuple[NDArray[Any], Blocks, np.uint64]:
    """Return where each word begins, and the bytes: whole blocks of eight, and what is left."""
    begins, letters = text_buffers(part)
    return begins, *text_blocks(letters)


@compiled
def _numbered(text: Text, codes: Codes) -> Ints:
    """Give the words numbers, by open addressing.

    A slot is 31 bits of the hash and the word's number; the different words are kept together as
    blocks of eight bytes, so that what is looked at again and again stays in the cache.
    """
    slots = 1024
    reached = np.zeros(4, dtype=np.int64)  # rows, words, blocks, what was touched
    table = np.full(slots, -1, dtype=np.int64)
    hashes = np.empty(slots, dtype=np.uint64)
    firsts = np.empty(slots, dtype=np.int64)
    starts = np.zeros(slots + 1, dtype=np.int32)
    kept = np.empty(slots * 2, dtype=np.uint64)
    while True:
        _number_some(text, codes, (table, hashes, firsts, starts, kept), reached)
        row, words, used = reached[0], reached[1], reached[2]
        if row == len(codes):
            return firsts[:words].copy()
        slots *= 2
        table = _spread(hashes[:words], slots)
        hashes, firsts = longer(hashes, slots), longer(firsts, slots)
        starts = longer(starts, slots + 1)
        length = text[0][row + 1] - text[0][row]
        kept = longer(kept, max(2 * len(kept), 2 * (used + length // 8 + 2)))


@compiled
def _number_some(text: Text, codes: Codes, tables: _Tables, reached: Ints) -> None:
    """Give words numbers, row by row, until the table or the blocks are full."""
    begins, blocks, tail, _ = text
    table, hashes, firsts, starts, kept = tables
    last, count, used = len(table) - 1, reached[1], reached[2]
    rows, ahead = np.empty(AHEAD, dtype=np.int64), np.empty(AHEAD, dtype=np.uint64)
    first = reached[0]
    while first < len(codes):
        stop = min(first + AHEAD, len(codes))
        present, touched = _look_ahead(text, tables, (rows, ahead), (first, stop))
        reached[3] = touched
        for step in range(present):
            row, value = rows[step], ahead[step]
            begin, end = np.int64(begins[row]), np.int64(begins[row + 1])
            tag = np.int64(value >> np.uint64(33))
            slot = np.int64(value & np.uint64(last))
            found = table[slot]
            while found >= 0:
                if found >> 32 == tag:
                    place = starts[found & _NUMBER]
                    if kept[place] == np.uint64(end - begin):  # its length, then its bytes
                        at = begin
                        place += 1
                        while at < end and kept[place] == block(blocks, tail, at, end):
                            place += 1
                            at += 8
                        if at >= end:
                            break
                slot = (slot + 1) & last
                found = table[slot]
            if found < 0:
                if 2 * count > last or used + (end - begin) // 8 + 2 > len(kept):
                    reached[0], reached[1], reached[2] = row, count, used
                    return
                found = (tag << 32) | count
                table[slot], hashes[count], firsts[count] = found, value, row
                kept[used] = np.uint64(end - begin)
                used += 1
                at = begin
                while at < end:
                    kept[used] = block(blocks, tail, at, end)
                    used += 1
                    at += 8
                count += 1
                starts[count] = used
            codes[row] = found & _NUMBER
        first = stop
    reached[0], reached[1], reached[2] = len(codes), count, used


@compiled
def _look_ahead(
    text: Text, tables: _Tables, into: tuple[Ints, Blocks], part: tuple[int, int]
) -> tuple[int, np.int64]:
    """Find and hash the next rows with a word, and touch what they will need.

    Memory answers many requests at a time. Returns how many rows have a word, and a number that
    only keeps the touching from being left out as useless.
    """
    begins, blocks, tail, missing = text
    table, _, _, starts, kept = tables
    rows, ahead = into
    present, last = 0, np.uint64(len(table) - 1)
    for row in range(part[0], part[1]):
        rows[present] = row
        present += 1 if len(missing) == 0 or not missing[row] else 0
    places = np.empty(len(rows), dtype=np.int64)
    touched = np.uint64(0)
    for step in range(present):
        begin, end = np.int64(begins[rows[step]]), np.int64(begins[rows[step] + 1])
        value, at = _SEED, begin
        while at < end:
            value = (value ^ block(blocks, tail, at, end)) * PRIME
            value ^= value >> np.uint64(32)
            at += 8
        value = (value ^ np.uint64(end - begin)) * MIX
        ahead[step] = value ^ (value >> np.uint64(29))
    for step in range(present):
        places[step] = table[ahead[step] & last]
    for step in range(present):
        places[step] = starts[max(places[step], 0) & _NUMBER]
    for step in range(present):
        touched ^= kept[places[step]]
    return present, np.int64(touched)


@compiled
def _spread(hashes: Blocks, slots: int) -> Ints:
    """Return a table of so many slots with all words in it."""
    table = np.full(slots, -1, dtype=np.int64)
    for number in range(len(hashes)):
        slot = np.int64(hashes[number] & np.uint64(slots - 1))
        while table[slot] >= 0:
            slot = (slot + 1) & (slots - 1)
        table[slot] = (np.int64(hashes[number] >> np.uint64(33)) << 32) | number
    return table


@compiled
def _renumber(codes: Codes, numbers: Codes) -> None:
    for row in range(len(codes)):
        if codes[row] >= 0:
            codes[row] = numbers[codes[row]]
