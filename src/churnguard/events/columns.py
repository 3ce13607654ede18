"""Columns of a table of events as integers, read for some of its rows when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from churnguard.compiled import compiled
from churnguard.errors import SchemaError
from churnguard.events.encoding import encode, encode_few
from churnguard.events.schema import MONEY_SCALE

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Floats = NDArray[np.float64]
Bits = NDArray[np.uint8]
_Plain = tuple[NDArray[Any], Bits, int]
_Words = tuple[Callable[[str], int], Codes]

MISSING = np.iinfo(np.int64).min
"""Stands for "no number" in ``value``, ``quantity`` and ``discount``."""

MONEY_COLUMNS = ("value", "discount")
WORD_COLUMNS = ("order_id", "cart_id", "session_id", "product_id", "category", "kind")
"""Columns of words; inside a track they are int32 codes, -1 where missing."""

_FEW = 10_000
_GONE = int(MISSING)
_SCALE = float(MONEY_SCALE)
_LARGEST_MONEY = 1e11
_ALL_THERE: Bits = np.frombuffer(b"", np.uint8)


class Columns:
    """The columns of a table of events; each is made ready once, whoever asks first.

    Parameters
    ----------
    events : pyarrow.Table
        Canonical events.
    """

    def __init__(self, events: pa.Table) -> None:
        self._columns: dict[str, Any] = dict(zip(events.column_names, events.columns, strict=True))
        self._ready: dict[str, Any] = {}
        self._lock = Lock()

    @property
    def names(self) -> Collection[str]:
        """Return the names of the columns that are there."""
        return self._columns.keys()

    def read(self, name: str, rows: Ints) -> NDArray[Any]:
        """Return a column of some rows.

        Returns
        -------
        ndarray of int64 or int32
            ``value`` and ``discount`` in 1/10,000, halves to even, ``quantity`` and instants as
            they are, ``MISSING`` where null; words as int32 codes, -1 where null.

        Raises
        ------
        SchemaError
            If money is beyond 100 billion.
        """
        if name not in self._columns:
            fill, kind = (-1, np.int32) if name in WORD_COLUMNS else (MISSING, np.int64)
            return np.full(len(rows), fill, dtype=kind)
        if name in WORD_COLUMNS:
            codes: Codes = self._words(name)[1][rows]
            return codes
        if name in MONEY_COLUMNS:
            return _money(self._once(name, self._amounts), rows, name)
        numbers, there, start = self._once(name, self._integers)
        return _whole(numbers, there, start, rows)

    def code(self, name: str, word: str) -> int:
        """Return the code of a word in a column, -2 where no event has it."""
        if name not in self._columns:
            return -2
        return self._words(name)[0](word)

    @cached_property
    def prompt(self) -> bool:
        """Tell if every event was received the moment it occurred."""
        occurred, received = self._columns["occurred_at"], self._columns["received_at"]
        return bool(np.array_equal(instants(occurred), instants(received)))

    def _words(self, name: str) -> _Words:
        found: _Words = self._once(name, self._encoded)
        return found

    def _once(self, name: str, make: Callable[[Any], Any]) -> Any:
        if name not in self._ready:
            with self._lock:
                if name not in self._ready:
                    self._ready[name] = make(self._columns[name])
        return self._ready[name]

    @staticmethod
    def _encoded(column: pa.ChunkedArray) -> _Words:
        """Return how a word's code is found, and each row's code."""
        if len(column) < _FEW and column.num_chunks == 1 and pa.types.is_string(column.type):
            whole = column.chunk(0)
            firsts, codes = encode_few(whole)
            return lambda word: _found([whole[row].as_py() for row in firsts], word), codes
        words, codes = encode(column)
        return lambda word: _found(words, word), codes

    @staticmethod
    def _integers(column: pa.ChunkedArray) -> _Plain:
        """Return whole numbers or instants as int64."""
        if pa.types.is_timestamp(column.type):
            return _plain(column.cast(pa.timestamp("us", tz=column.type.tz)), np.int64)
        return _plain(column.cast(pa.int64()), np.int64)

    @staticmethod
    def _amounts(column: pa.ChunkedArray) -> _Plain:
        return _plain(column.cast(pa.float64()), np.float64)


class ListedColumns(Columns):
    """Columns as lists of Python values: the few events of one customer, as a database gives them.

    For so few, what it takes to make an Arrow table costs more than all that is made of it.

    Parameters
    ----------
    columns : mapping of str to sequence
        By name; None where a value is missing, instants in microseconds UTC.

    Examples
    --------
    >>> columns = ListedColumns({"value": [1.5, None], "kind": ["nps", None]})
    >>> rows = np.array([1, 0])
    >>> columns.read("value", rows)[1:].tolist(), columns.read("kind", rows).tolist()
    ([15000], [-1, 0])
    >>> columns.code("kind", "nps"), columns.code("kind", "ces")
    (0, -2)
    """

    def __init__(self, columns: Mapping[str, Sequence[Any]]) -> None:
        self._columns = {
            name: values
            for name, values in columns.items()
            if values and (values[0] is not None or values.count(None) < len(values))
        }
        self._ready = {}
        self._lock = Lock()

    @cached_property
    def prompt(self) -> bool:
        """Tell if every event was received the moment it occurred."""
        return bool(self._columns.get("occurred_at") == self._columns.get("received_at"))

    @staticmethod
    def _encoded(column: Sequence[str | None]) -> _Words:
        places: dict[str | None, int] = {None: -1}
        codes = [places.setdefault(word, len(places) - 1) for word in column]
        return lambda word: places.get(word, -2), np.array(codes, dtype=np.int32)

    @staticmethod
    def _integers(column: Sequence[int | None]) -> _Plain:
        numbers = [_GONE if number is None else number for number in column]
        return _as_plain(np.array(numbers, dtype=np.int64))

    @staticmethod
    def _amounts(column: Sequence[float | None]) -> _Plain:
        return _as_plain(np.array(column, dtype=np.float64))  # None becomes NaN


def _found(words: Any, word: str) -> int:
    """Return the place of a word among words, -2 where it is not."""
    words = pa.array(words, pa.string()) if isinstance(words, list) else words
    found: int = pc.index(words, pa.scalar(word, words.type)).as_py()
    return found if found >= 0 else -2


def instants(column: pa.ChunkedArray) -> Ints:
    """Return instants as int64 microseconds."""
    if column.type.unit != "us":
        column = column.cast(pa.timestamp("us", tz=column.type.tz))
    numbers: Ints = column.to_numpy().view(np.int64)
    return numbers


def _plain(column: pa.ChunkedArray, kind: type[np.generic]) -> _Plain:
    """Return the numbers of a column as they lie in memory, and where they are present.

    Presence is a bitmap, lowest bit first, and the place of its first bit; empty if all are there.
    """
    whole = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    bits, data = whole.buffers()
    start, stop = whole.offset, whole.offset + len(whole)
    numbers = np.frombuffer(data if data is not None else b"", kind)[start:stop]
    there = np.frombuffer(bits if whole.null_count else b"", np.uint8)
    numbers.flags.writeable = there.flags.writeable = False  # one kind of array, compiled once
    return numbers, there, start


def _as_plain(numbers: NDArray[Any]) -> _Plain:
    numbers.flags.writeable = False
    return numbers, _ALL_THERE, 0


def _money(amounts: _Plain, rows: Ints, name: str) -> Ints:
    units, largest = _in_units(*amounts, rows)
    if largest > _LARGEST_MONEY:
        raise SchemaError(
            f"An event's '{name}' is {largest:g}, more than can be money.",
            hint="Put such events into quarantine: amounts go up to 100 billion.",
        )
    return units


@compiled
def _whole(numbers: Ints, there: Bits, start: int, rows: Ints) -> Ints:
    """Return the numbers of some rows, ``MISSING`` where null."""
    found = np.empty(len(rows), dtype=np.int64)
    for place in range(len(rows)):
        row = rows[place]
        found[place] = numbers[row] if _is_there(there, start + row) else _GONE
    return found


@compiled
def _in_units(amounts: Floats, there: Bits, start: int, rows: Ints) -> tuple[Ints, float]:
    """Return money in 1/10,000, halves to even, and the largest amount by its absolute value."""
    units = np.empty(len(rows), dtype=np.int64)
    largest = 0.0
    for place in range(len(rows)):
        amount = amounts[rows[place]]
        if np.isnan(amount) or not _is_there(there, start + rows[place]):
            units[place] = _GONE
        else:
            largest = max(largest, abs(amount))
            units[place] = np.int64(np.rint(amount * _SCALE))
    return units, largest


@compiled
def _is_there(there: Bits, place: int) -> bool:
    return len(there) == 0 or (there[place >> 3] >> (place & 7)) & 1 != 0
