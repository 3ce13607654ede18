"""Events as Arrow tables and as database rows: both ways, column by column, without loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from churnguard.errors import SchemaError
from churnguard.events.schema import EVENT_SCHEMA, empty_events
from churnguard.store.digests import customer_keys, event_keys, payload_digests

EVENT_COLUMNS = tuple(EVENT_SCHEMA.names)
ROW_COLUMNS = ("event_key", "customer_key", "payload_digest", *EVENT_COLUMNS)
"""Columns of a row as it is inserted."""

_CLOCKS = ("received_at", "clock")  # side by side; no part of an event's payload
_ID, _CUSTOMER, _FIRST_CLOCK = (
    EVENT_COLUMNS.index(name) for name in ("event_id", "customer_id", "received_at")
)


def canonical(events: pa.Table) -> pa.Table:
    """Return the events in ``EVENT_SCHEMA``, with NaN as null.

    Raises
    ------
    SchemaError
        If a column is missing, cannot be cast, or is null where it may not be.

    Examples
    --------
    >>> canonical(empty_events()).num_rows
    0
    """
    missing = [name for name in EVENT_COLUMNS if name not in events.column_names]
    if missing:
        raise SchemaError(
            f"The event table lacks the column '{missing[0]}'.",
            hint="Hand over a table in churnguard.events.schema.EVENT_SCHEMA.",
        )
    events = events.select(EVENT_COLUMNS)
    try:
        if events.schema != EVENT_SCHEMA:
            events = events.cast(EVENT_SCHEMA)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise SchemaError(f"The event table does not fit the event schema: {error}.") from error
    for name in ("value", "discount"):
        column = events[name]
        if pc.any(pc.is_nan(column)).as_py():
            place = events.schema.get_field_index(name)
            events = events.set_column(
                place,
                EVENT_SCHEMA.field(name),
                pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column),
            )
    for field in EVENT_SCHEMA:
        if not field.nullable and events[field.name].null_count:
            raise SchemaError(f"The event table has a row without '{field.name}'.")
    return events


def to_values(events: pa.Table) -> list[tuple[Any, ...]]:
    """Return canonical events as tuples of :data:`EVENT_COLUMNS`, instants as microseconds."""
    return list(zip(*(_values(events[name]) for name in EVENT_COLUMNS), strict=True))


def keyed_rows(
    rows: Sequence[tuple[Any, ...]], aliases: Mapping[str, str] | None = None
) -> list[tuple[Any, ...]]:
    """Return events as rows of :data:`ROW_COLUMNS`, each under the customer it belongs to.

    Parameters
    ----------
    rows : sequence of tuple
        Values of :data:`EVENT_COLUMNS`.
    aliases : mapping of str to str, optional
        Customers by the other ids that they have.
    """
    if not rows:
        return []
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    if aliases:
        columns[_CUSTOMER] = [aliases.get(name, name) for name in columns[_CUSTOMER]]
    told = columns[:_FIRST_CLOCK] + columns[_FIRST_CLOCK + len(_CLOCKS) :]
    payloads = map(orjson.dumps, zip(*told, strict=True))
    names = list(set(columns[_CUSTOMER]))
    keys = dict(zip(names, customer_keys(names), strict=True))
    owners = [keys[name] for name in columns[_CUSTOMER]]
    return list(
        zip(event_keys(columns[_ID]), owners, payload_digests(payloads), *columns, strict=True)
    )


def to_table(rows: Sequence[Sequence[Any]], *, skip: int = 0) -> pa.Table:
    """Return rows that end with :data:`EVENT_COLUMNS` as canonical events, in their order."""
    if not rows:
        return empty_events()
    columns = list(zip(*rows, strict=True))[skip:]
    arrays = [_array(values, field) for values, field in zip(columns, EVENT_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=EVENT_SCHEMA)


def sort_events(events: pa.Table) -> pa.Table:
    """Return events sorted by customer, ``occurred_at`` and id: their one order everywhere."""
    keys = [(name, "ascending") for name in ("customer_id", "occurred_at", "event_id")]
    return events.take(pc.sort_indices(events, sort_keys=keys))


def _values(column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    elif pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    values: list[Any] = column.to_pylist()
    return values


def _array(values: Sequence[Any], field: pa.Field) -> pa.Array:
    if field.nullable and values.count(None) == len(values):
        return pa.nulls(len(values), field.type)
    if pa.types.is_timestamp(field.type):
        return pa.array(values, pa.int64()).view(field.type)
    if pa.types.is_dictionary(field.type):
        return pa.array(values, pa.string()).dictionary_encode()
    return pa.array(values, field.type)
