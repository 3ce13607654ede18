"""Columns of a table of events as integers, read for some of its rows when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from churnguard.compiled import compiled
from churnguard.errors import SchemaError
from churnguard.events.encoding import encode
from churnguard.events.schema import MONEY_SCALE

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Floats = NDArray[np.float64]

MISSING = np.iinfo(np.int64).min
"""Stands for "no number" in ``value``, ``quantity`` and ``discount``."""

MONEY_COLUMNS = ("value", "discount")
WORD_COLUMNS = ("order_id", "cart_id", "session_id", "product_id", "category", "kind")
"""Columns of words; inside a track they are int32 codes, -1 where missing."""

_GONE = int(MISSING)
_SCALE = float(MONEY_SCALE)
_LARGEST_MONEY = 1e11


class Columns:
    """The columns of a table of events; each is made ready once, whoever asks first.

    Parameters
    ----------
    events : pyarrow.Table
        Canonical events.
    """

    def __init__(self, events: pa.Table) -> None:
        self._columns = dict(zip(events.column_names, events.columns, strict=True))
        self._ready: dict[str, Any] = {}
        self._lock = Lock()

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
            return _money(self._once(name, _amounts), rows, name)
        numbers: Ints = self._once(name, _integers)[rows]
        return numbers

    def code(self, name: str, word: str) -> int:
        """Return the code of a word in a column, -2 where no event has it."""
        if name not in self._columns:
            return -2
        words = self._words(name)[0]
        found = pc.index(words, pa.scalar(word, words.type)).as_py()
        return found if found >= 0 else -2

    @cached_property
    def prompt(self) -> bool:
        """Tell if every event was received the moment it occurred."""
        occurred, received = self._columns["occurred_at"], self._columns["received_at"]
        return bool(np.array_equal(instants(occurred), instants(received)))

    def _words(self, name: str) -> tuple[pa.Array, Codes]:
        found: tuple[pa.Array, Codes] = self._once(name, encode)
        return found

    def _once(self, name: str, make: Callable[[pa.ChunkedArray], Any]) -> Any:
        if name not in self._ready:
            with self._lock:
                if name not in self._ready:
                    self._ready[name] = make(self._columns[name])
        return self._ready[name]


def instants(column: pa.ChunkedArray) -> Ints:
    """Return instants as int64 microseconds."""
    if column.type.unit != "us":
        column = column.cast(pa.timestamp("us", tz=column.type.tz))
    numbers: Ints = column.to_numpy().view(np.int64)
    return numbers


def _integers(column: pa.ChunkedArray) -> Ints:
    """Return whole numbers or instants as int64, ``MISSING`` where null."""
    if pa.types.is_timestamp(column.type):
        return instants(column)
    whole = column if pa.types.is_int64(column.type) else column.cast(pa.int64())
    numbers: Ints = (whole.fill_null(_GONE) if whole.null_count else whole).to_numpy()
    return numbers


def _amounts(column: pa.ChunkedArray) -> Floats:
    amounts: Floats = column.cast(pa.float64()).to_numpy()
    return amounts


def _money(amounts: Floats, rows: Ints, name: str) -> Ints:
    units, largest = _in_units(amounts, rows)
    if largest > _LARGEST_MONEY:
        raise SchemaError(
            f"An event's '{name}' is {largest:g}, more than can be money.",
            hint="Put such events into quarantine: amounts go up to 100 billion.",
        )
    return units


@compiled
def _in_units(amounts: Floats, rows: Ints) -> tuple[Ints, float]:
    """Return money in 1/10,000, halves to even, and the largest amount by its absolute value."""
    units = np.empty(len(rows), dtype=np.int64)
    largest = 0.0
    for place in range(len(rows)):
        amount = amounts[rows[place]]
        largest = max(largest, abs(amount))
        units[place] = _GONE if np.isnan(amount) else np.int64(np.rint(amount * _SCALE))
    return units, largest
