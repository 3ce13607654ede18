"""The customer book: what the shop says about its customers, one row each, the newest counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from churnguard.clock import from_us
from churnguard.events.customers import BOOK_SCHEMA, CUSTOMER_SCHEMA
from churnguard.store.bulk import any_of, insert_many, value_marks
from churnguard.store.changes import BOOK_VERSION, raise_counter
from churnguard.store.database import asked
from churnguard.store.identity import resolve
from churnguard.store.records import ACCEPTED, DUPLICATE, ERASED, Appended
from churnguard.store.service_tables import restriction
from churnguard.store.tables import customer
from churnguard.store.tombstones import Tombstones

_COLUMNS = tuple(CUSTOMER_SCHEMA.names)
_OPT_OUT = _COLUMNS.index("opt_out_profiling")
_STRICTER = (_OPT_OUT, _COLUMNS.index("exclude"))
_HELD = ("customer_id", "objected_at", "restricted_at")
_LOOKUP = 2_000


def put(
    connection: sa.Connection, customers: pa.Table, tombstones: Tombstones | None = None
) -> Appended:
    """Store rows; an unchanged row is a duplicate, a new or changed one is accepted.

    A row of an id that was merged into a customer adds to that customer's own. A row of an erased
    person is dropped.
    """
    rows = _rows(customers)
    owners = resolve(connection, (row[0] for row in rows))
    gone = (tombstones or Tombstones()).among(connection, (row[0] for row in rows))
    known = _known(connection, [*(row[0] for row in rows), *owners.values()])
    outcomes = np.empty(len(rows), np.int8)
    changed: dict[str, tuple[Any, ...]] = {}
    # What is said of customers under their own ids comes first: the others only add to it.
    for place in sorted(range(len(rows)), key=lambda place: rows[place][0] in owners):
        given = rows[place]
        owner = owners.get(given[0])
        row = given if owner is None else joined(given, known.get(owner), owner)
        outcomes[place] = DUPLICATE if known.get(row[0]) == row else ACCEPTED
        if given[0] in gone or row[0] in gone:
            outcomes[place] = ERASED
        if outcomes[place] == ACCEPTED:
            known[row[0]] = changed[row[0]] = row
    if changed:
        fresh = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
        ending = f"ON CONFLICT (customer_id) DO UPDATE SET {fresh}"
        insert_many(connection, customer, _COLUMNS, list(changed.values()), ending=ending)
        raise_counter(connection, BOOK_VERSION)
    counts = np.bincount(outcomes, minlength=4).tolist()
    accepted, duplicates = counts[ACCEPTED], counts[DUPLICATE]
    return Appended(accepted, duplicates, 0, outcomes=outcomes, erased=counts[ERASED])


def joined(
    alias: tuple[Any, ...], own: tuple[Any, ...] | None, customer_id: str
) -> tuple[Any, ...]:
    """Return a customer's row with what the row of an alias says beside it.

    Whoever objected or is left out stays so; else the customer's own row counts where it says
    something.

    Examples
    --------
    >>> blank = [None] * len(_COLUMNS)
    >>> guest, own = [*blank], [*blank]
    >>> guest[_OPT_OUT], own[_OPT_OUT] = 1, 0
    >>> joined(tuple(guest), tuple(own), "C1")[_OPT_OUT]
    1
    """
    mine = own or (None,) * len(_COLUMNS)
    row = [there if here is None else here for there, here in zip(alias, mine, strict=True)]
    for place in _STRICTER:
        row[place] = max(alias[place] or 0, mine[place] or 0) or row[place]
    return (customer_id, *row[1:])


def read(connection: sa.Connection, customer_ids: Sequence[str] | None = None) -> pa.Table:
    """Return the book, or some customers of it, sorted by customer.

    Whoever objected or was restricted is in it, with or without a row of the shop's own.
    """
    if customer_ids is None:
        return _table(_with_restrictions(connection, _all_rows(connection), None))
    wanted = sorted(set(customer_ids))
    found: list[tuple[Any, ...]] = []
    for at in range(0, len(wanted), _LOOKUP):
        some = wanted[at : at + _LOOKUP]
        found += _with_restrictions(connection, _all_rows(connection, some), some)
    return _table(found)


def row_of(engine: sa.Engine, customer_id: str) -> dict[str, Any] | None:
    """Return one customer's row as the values of :func:`read`; None where there is none.

    It stands in requests, so it is one statement, and no table is made of one row.
    """
    (found,) = asked(engine, _ROW_OF.format(mark=value_marks(engine, 1)), (customer_id,))
    row, (held, objected, restricted) = found[: len(_COLUMNS)], found[len(_COLUMNS) :]
    if row[0] is None and held is None:
        return None
    told = {
        name: None if value is None else read_value(value)
        for (name, read_value), value in zip(_VALUES.items(), row, strict=True)
    }
    told |= {"customer_id": customer_id, "restricted": None if restricted is None else True}
    return told if objected is None else told | {"opt_out_profiling": True}


_BOTH = ", ".join([*(f"own.{name}" for name in _COLUMNS), *(f"held.{name}" for name in _HELD)])
_ROW_OF = (
    f"SELECT {_BOTH} FROM (SELECT CAST({{mark}} AS TEXT) AS name) AS wanted "
    "LEFT JOIN customer AS own ON own.customer_id = wanted.name "
    "LEFT JOIN restriction AS held ON held.customer_id = wanted.name"
)
_VALUES: dict[str, Callable[[Any], Any]] = {
    field.name: from_us
    if pa.types.is_timestamp(field.type)
    else bool
    if pa.types.is_boolean(field.type)
    else str
    for field in CUSTOMER_SCHEMA
}


def _all_rows(
    connection: sa.Connection, customer_ids: Sequence[str] | None = None
) -> list[tuple[Any, ...]]:
    return _select(connection, customer, _COLUMNS, customer_ids)


def _select(
    connection: sa.Connection,
    table: sa.Table,
    columns: Sequence[str],
    customer_ids: Sequence[str] | None,
) -> list[tuple[Any, ...]]:
    """Read by the driver's own SQL: this stands in requests, and rows need no conversion."""
    sql, parameters = f"SELECT {', '.join(columns)} FROM {table.name}", tuple[Any, ...]()
    if customer_ids is not None:
        some, parameters = any_of(connection, "customer_id", customer_ids)
        sql += f" WHERE {some}"
    rows = connection.exec_driver_sql(f"{sql} ORDER BY customer_id", parameters)
    return [tuple(row) for row in rows]


def _with_restrictions(
    connection: sa.Connection, rows: list[tuple[Any, ...]], customer_ids: Sequence[str] | None
) -> list[tuple[Any, ...]]:
    """Return rows of the book with a last value that tells who is restricted."""
    found = _select(connection, restriction, _HELD, customer_ids)
    held = {name: (objected, restricted) for name, objected, restricted in found}
    if not held:
        return [(*row, None) for row in rows]
    whole = {row[0]: row for row in rows}
    rows = []
    for name in sorted(whole.keys() | held.keys()):
        row = list(whole.get(name, (name, *[None] * (len(_COLUMNS) - 1))))
        objected, restricted = held.get(name, (None, None))
        if objected is not None:
            row[_OPT_OUT] = 1
        rows.append((*row, None if restricted is None else 1))
    return rows


def left_alone() -> sa.CompoundSelect[tuple[str]]:
    """Return the query for everybody of whom no score is told: objectors, restricted, excluded."""
    told = sa.or_(customer.c.opt_out_profiling == 1, customer.c.exclude == 1)
    book = sa.select(customer.c.customer_id).where(told)
    return sa.union(sa.select(restriction.c.customer_id), book)


def has(connection: sa.Connection, customer_id: str) -> bool:
    """Tell whether the customer has a row in the book."""
    query = sa.select(customer.c.customer_id).where(customer.c.customer_id == customer_id)
    return connection.execute(query).first() is not None


def _known(connection: sa.Connection, customer_ids: list[str]) -> dict[str, tuple[Any, ...]]:
    columns = [customer.c[name] for name in _COLUMNS]
    known: dict[str, tuple[Any, ...]] = {}
    for at in range(0, len(customer_ids), _LOOKUP):
        some = customer.c.customer_id.in_(customer_ids[at : at + _LOOKUP])
        known.update(
            (row[0], tuple(row)) for row in connection.execute(sa.select(*columns).where(some))
        )
    return known


def _rows(customers: pa.Table) -> list[tuple[Any, ...]]:
    """Return rows as the database keeps them: instants and flags as integers."""
    customers = customers.select(_COLUMNS).cast(CUSTOMER_SCHEMA)
    columns = [
        (column if pa.types.is_string(column.type) else column.cast(pa.int64())).to_pylist()
        for column in customers.columns
    ]
    return list(zip(*columns, strict=True))


def _table(rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(BOOK_SCHEMA)
    arrays = [
        pa.array(values, pa.string() if pa.types.is_string(field.type) else pa.int64()).cast(
            field.type
        )
        for values, field in zip(columns, BOOK_SCHEMA, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=BOOK_SCHEMA)
