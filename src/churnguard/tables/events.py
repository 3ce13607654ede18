"""Reads canonical events from a pandas or Arrow table, and answers in the kind that was given.

``customer_id``, ``event`` and ``occurred_at`` are needed; every other column of the event schema
may be missing, further columns are passed over.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from churnguard.errors import SchemaError
from churnguard.events.digests import digests
from churnguard.events.schema import EVENT_SCHEMA

Table: TypeAlias = Any
"""A ``pandas.DataFrame`` or a ``pyarrow.Table``."""

NEEDED = ("customer_id", "event", "occurred_at")
_TIMES = ("occurred_at", "received_at")


def read_events(events: Table, *, timezone: str) -> pa.Table:
    """Return a table with the columns of ``EVENT_SCHEMA``.

    Parameters
    ----------
    events : pandas.DataFrame or pyarrow.Table
        Events, in any order. Without ``received_at``, each was known the moment it occurred;
        without ``event_id``, each is named after what it says, and rows that say the same are
        different events.
    timezone : str
        The shop's IANA time zone, in which times without a zone are read.

    Raises
    ------
    SchemaError
        If a needed column is missing or has a missing value, or a column is of another type.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["a"], "event": ["order_completed"],
    ...                        "occurred_at": ["2026-01-01 10:00"], "value": [20.0]})
    >>> orders["occurred_at"] = pd.to_datetime(orders["occurred_at"])
    >>> read_events(orders, timezone="Asia/Jerusalem")["received_at"][0].as_py().isoformat()
    '2026-01-01T08:00:00+00:00'
    """
    there = events.column_names if isinstance(events, pa.Table) else list(events.columns)
    for name in NEEDED:
        if name not in there:
            raise SchemaError(
                f"The events have no column '{name}'.",
                hint=f"Needed are {', '.join(NEEDED)}; docs/events.md lists all columns.",
            )
    columns = {
        item.name: _column(events[item.name], item, timezone)
        for item in EVENT_SCHEMA
        if item.name in there
    }
    _fill(columns, len(events))
    _refuse_gaps(columns)
    return pa.Table.from_arrays([columns[name] for name in EVENT_SCHEMA.names], schema=EVENT_SCHEMA)


def like(table: pa.Table, events: Table) -> Table:
    """Return a table as the kind that the events are."""
    return table if isinstance(events, pa.Table) else table.to_pandas()


def _column(column: pa.ChunkedArray | pd.Series[Any], item: pa.Field, timezone: str) -> pa.Array:
    """Return one column as the schema's type."""
    try:
        values = _array(column)
        if item.name in _TIMES:
            values = _instants(values, timezone)
        if pa.types.is_dictionary(item.type):
            return values.cast(pa.string()).dictionary_encode()
        return values.cast(item.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise SchemaError(
            f"The column '{item.name}' of the events cannot be read as {item.type}: {error}.",
            hint="docs/events.md tells what each column holds.",
        ) from error


def _array(column: pa.ChunkedArray | pd.Series[Any]) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        return column.combine_chunks()
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        utc = pa.array(column.dt.tz_convert(None).to_numpy())
        return utc.cast(pa.timestamp(utc.type.unit, tz="UTC"))
    return pa.array(column, from_pandas=True)


def _instants(values: pa.Array, timezone: str) -> pa.Array:
    """Return times with a zone; those without one are the shop's."""
    kind = values.type
    if not pa.types.is_timestamp(kind):
        raise pa.ArrowInvalid(f"it holds {kind}, not times")
    values = values.cast(pa.timestamp("us", tz=kind.tz), safe=False)
    if kind.tz is None:
        return pc.assume_timezone(values, timezone, ambiguous="earliest", nonexistent="latest")
    return values


def _fill(columns: dict[str, pa.Array], rows: int) -> None:
    """Add the columns that were not given."""
    if "received_at" not in columns:
        columns["received_at"] = columns["occurred_at"]
        columns["clock"] = pa.array(["assumed"] * rows, pa.string()).dictionary_encode()
    if "clock" not in columns:
        columns["clock"] = pa.array(["true"] * rows, pa.string()).dictionary_encode()
    named = "event_id" in columns
    for item in EVENT_SCHEMA:
        if item.name not in columns:
            nothing = pa.nulls(rows, pa.string() if _is_word(item) else item.type)
            columns[item.name] = nothing.dictionary_encode() if _is_word(item) else nothing
    if not named:
        columns["event_id"] = pa.array(digests(columns, repeats=True), pa.string())


def _is_word(item: pa.Field) -> bool:
    return bool(pa.types.is_dictionary(item.type))


def _refuse_gaps(columns: dict[str, pa.Array]) -> None:
    for item in EVENT_SCHEMA:
        if not item.nullable and columns[item.name].null_count:
            raise SchemaError(
                f"The column '{item.name}' of the events has missing values.",
                hint="Every event needs a customer, a kind and a time.",
            )
