"""The customer book: what the shop says about its customers, one row each, the newest counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.store.bulk import insert_many
from churnguard.store.changes import BOOK_VERSION, raise_counter
from churnguard.store.records import ACCEPTED, DUPLICATE, Appended
from churnguard.store.tables import customer

_COLUMNS = tuple(CUSTOMER_SCHEMA.names)
_LOOKUP = 2_000


def put(connection: sa.Connection, customers: pa.Table) -> Appended:
    """Store rows; an unchanged row is a duplicate, a new or changed one is accepted."""
    rows = _rows(customers)
    known = _known(connection, [row[0] for row in rows])
    outcomes = np.empty(len(rows), np.int8)
    changed: dict[str, tuple[Any, ...]] = {}
    for place, row in enumerate(rows):
        outcomes[place] = DUPLICATE if known.get(row[0]) == row else ACCEPTED
        if outcomes[place] == ACCEPTED:
            known[row[0]] = changed[row[0]] = row
    if changed:
        fresh = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
        ending = f"ON CONFLICT (customer_id) DO UPDATE SET {fresh}"
        insert_many(connection, customer, _COLUMNS, list(changed.values()), ending=ending)
        raise_counter(connection, BOOK_VERSION)
    accepted = int((outcomes == ACCEPTED).sum())
    return Appended(accepted, len(rows) - accepted, 0, outcomes)


def read(connection: sa.Connection, customer_ids: Sequence[str] | None = None) -> pa.Table:
    """Return the book, or some customers of it, sorted by customer."""
    columns = [customer.c[name] for name in _COLUMNS]
    query = sa.select(*columns).order_by(customer.c.customer_id)
    if customer_ids is None:
        return _table([tuple(row) for row in connection.execute(query)])
    wanted = sorted(set(customer_ids))
    found: list[tuple[Any, ...]] = []
    for at in range(0, len(wanted), _LOOKUP):
        some = query.where(customer.c.customer_id.in_(wanted[at : at + _LOOKUP]))
        found += [tuple(row) for row in connection.execute(some)]
    return _table(found)


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
    columns = list(zip(*rows, strict=True)) or [()] * len(_COLUMNS)
    arrays = [
        pa.array(values, pa.string() if pa.types.is_string(field.type) else pa.int64()).cast(
            field.type
        )
        for values, field in zip(columns, CUSTOMER_SCHEMA, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=CUSTOMER_SCHEMA)
