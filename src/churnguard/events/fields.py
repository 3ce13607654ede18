"""Turns a file's columns into typed fields, whole columns at a time, without judging them.

What cannot be read as what it should be is marked as bad; :mod:`churnguard.events.validation`
decides what that means.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from churnguard.events.mapping import NUMBERS, Mapping
from churnguard.events.readers.columns import text_of
from churnguard.events.templates import fill_template
from churnguard.events.times import Mask, ReadTimes, read_times

TIMES = ("occurred_at", "received_at", "created_at", "consent_at")
FLAGS = (
    "consent_email", "consent_sms", "consent_phone", "consent_push", "opt_out_profiling", "exclude",
)  # fmt: skip
_TRUE = ["true", "t", "yes", "y", "1", "on"]
_FALSE = ["false", "f", "no", "n", "0", "off"]


@dataclass(frozen=True)
class Numbers:
    """A column of numbers; NaN where there is none, ``bad`` where it is no finite number."""

    values: npt.NDArray[np.float64]
    bad: Mask


@dataclass(frozen=True)
class Fields:
    """The typed fields of some rows; a field without a column is simply not there."""

    rows: int
    text: MappingOf[str, pa.Array] = field(default_factory=dict)
    numbers: MappingOf[str, Numbers] = field(default_factory=dict)
    times: MappingOf[str, ReadTimes] = field(default_factory=dict)
    flags: MappingOf[str, tuple[pa.Array, Mask]] = field(default_factory=dict)

    def words(self, name: str) -> pa.Array:
        """Return a text field, null where it has no column."""
        found = self.text.get(name)
        return pa.nulls(self.rows, pa.string()) if found is None else found

    def amounts(self, name: str) -> npt.NDArray[np.float64]:
        """Return a number field, NaN where it has no column."""
        found = self.numbers.get(name)
        return np.full(self.rows, np.nan) if found is None else found.values


def read_fields(
    table: pa.Table, places: MappingOf[str, str], mapping: Mapping, *, timezone: str
) -> Fields:
    """Read the fields of a table.

    Parameters
    ----------
    table : pyarrow.Table
        Rows as they stand in the file.
    places : mapping of field to column
        From :meth:`churnguard.events.mapping.Mapping.locate`.
    mapping : Mapping
        What the columns mean.
    timezone : str
        The shop's zone, for times that name none.

    Examples
    --------
    >>> from churnguard.events.mapping import preset
    >>> table = pa.table({"uid": [7.0], "date": ["2026-11-21"], "total": ["12.50"]})
    >>> places = preset("orders").locate(table.column_names, source="o.csv")
    >>> fields = read_fields(table, places, preset("orders"), timezone="UTC")
    >>> fields.words("customer_id").to_pylist(), fields.amounts("value").tolist()
    (['7'], [12.5])
    """
    text: dict[str, pa.Array] = {}
    numbers: dict[str, Numbers] = {}
    times: dict[str, ReadTimes] = {}
    flags: dict[str, tuple[pa.Array, Mask]] = {}
    columns = {name: table[column] for name, column in places.items()}
    for name, values in {**columns, **_joined(table, mapping)}.items():
        if name in NUMBERS:
            numbers[name] = read_numbers(values, decimal=mapping.decimal)
        elif name in TIMES:
            times[name] = read_times(values, timezone, pattern=mapping.time_format)
        elif name in FLAGS:
            flags[name] = read_flags(values)
        else:
            text[name] = read_text(values)
    for name, constant in mapping.constants.items():
        text[name] = pa.array([constant] * table.num_rows, pa.string())
    for name in mapping.uppercase:
        if name in text:
            text[name] = pc.utf8_upper(text[name])
    for name, words in mapping.words.items():
        if name in text:
            text[name] = _translate(text[name], words)
    if mapping.keep:
        text["properties"] = _pack(table, mapping.keep)
    return Fields(table.num_rows, text, numbers, times, flags)


def _joined(table: pa.Table, mapping: Mapping) -> dict[str, pa.ChunkedArray]:
    """Return the fields that stand in several columns; null where one of them is empty."""
    places = mapping.parts(table.column_names)
    parts = {name: read_text(table[column]) for name, column in places.items()}
    return {
        name: pa.chunked_array([fill_template(template, parts)])
        for name, template in mapping.join.items()
    }


def _translate(text: pa.Array, words: MappingOf[str, str]) -> pa.Array:
    """Return what words mean; those that are not listed stay as they are."""
    place = pc.index_in(text, pa.array(list(words), pa.string()))
    return pc.coalesce(pa.array(list(words.values()), pa.string()).take(place), text)


def read_text(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as trimmed text, null where nothing is written; ``13085.0`` is ``13085``.

    Examples
    --------
    >>> read_text(pa.chunked_array([[13085.0, None]])).to_pylist()
    ['13085', None]
    >>> read_text(pa.chunked_array([[" 00123 ", ""]])).to_pylist()
    ['00123', None]
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_nested(kind):
        values = [text_of(value) for value in column.to_pylist()]
        whole = pa.array(values, pa.string())
    else:
        whole = _one_array(column.cast(pa.string()))
    whole = pc.utf8_trim_whitespace(whole)
    return pc.if_else(pc.equal(whole, ""), pa.scalar(None, pa.string()), whole)


def read_numbers(column: pa.ChunkedArray, *, decimal: str = ".") -> Numbers:
    """Return a column as numbers; text may have blanks round it, and the given decimal sign.

    Examples
    --------
    >>> read = read_numbers(pa.chunked_array([["1,5", "", "many"]]), decimal=",")
    >>> read.values.tolist(), read.bad.tolist()
    ([1.5, nan, nan], [False, False, True])
    """
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = _one_array(column.cast(pa.float64(), safe=False))
        empty = np.asarray(values.is_null())
    else:
        text = read_text(column)
        empty = np.asarray(text.is_null())
        values = _parse(pc.replace_substring(text, decimal, ".") if decimal != "." else text)
    found = np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
    if pa.types.is_floating(kind):
        empty = empty | np.isnan(found)
    bad = ~empty & ~np.isfinite(found)
    return Numbers(np.where(bad, np.nan, found), bad)


def read_flags(column: pa.ChunkedArray) -> tuple[pa.Array, Mask]:
    """Return a column of yes and no, null where nothing is written, and where it is neither.

    Examples
    --------
    >>> flags, bad = read_flags(pa.chunked_array([["Yes", "0", None, "perhaps"]]))
    >>> flags.to_pylist(), bad.tolist()
    ([True, False, None, None], [False, False, False, True])
    """
    text = pc.utf8_lower(read_text(column))
    yes, no = (pc.is_in(text, pa.array(words)) for words in (_TRUE, _FALSE))
    known = pc.or_(yes, no)
    bad = np.asarray(pc.and_(pc.is_valid(text), pc.invert(known)))
    return pc.if_else(known, yes, pa.scalar(None, pa.bool_())), bad


def _parse(text: pa.Array) -> pa.Array:
    try:
        return text.cast(pa.float64())
    except pa.ArrowInvalid:
        fits = pc.match_substring_regex(text, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$")
        return pc.if_else(fits, text, pa.scalar(None, pa.string())).cast(pa.float64())


def _pack(table: pa.Table, columns: tuple[str, ...]) -> pa.Array:
    """Pack columns into one JSON object a row, without what is empty."""
    there = [name for name in columns if name in table.column_names]
    if not there:
        return pa.nulls(table.num_rows, pa.string())
    keys = ["_".join(name.lower().split()) for name in there]
    values = zip(*(read_text(table[name]).to_pylist() for name in there), strict=True)
    rows: list[str | None] = []
    packed: dict[tuple[str | None, ...], str | None] = {}  # few are different
    for row in values:
        if row not in packed:
            said = {key: value for key, value in zip(keys, row, strict=True) if value is not None}
            packed[row] = orjson.dumps(said).decode() if said else None
        rows.append(packed[row])
    return pa.array(rows, pa.string())


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    joined = column.combine_chunks()
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined
