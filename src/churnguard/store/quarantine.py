"""Rows that could not be accepted: kept whole, with the reason and how they were read."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from churnguard.store.bulk import insert_many
from churnguard.store.records import QuarantinedRow
from churnguard.store.tables import quarantine, recipe

_COLUMNS = ("row_id", "source", "row_number", "reason", "detail", "payload", "recipe")
_LOOKUP = 2_000


def put(connection: sa.Connection, rows: Sequence[QuarantinedRow]) -> int:
    """Keep rejected rows; return how many were not there before."""
    if not rows:
        return 0
    recipes = {text: _recipe(connection, text) for text in {row.recipe for row in rows}}
    values = [
        (
            row.row_id,
            row.source,
            row.row_number,
            row.reason,
            row.detail,
            row.payload,
            recipes[row.recipe],
        )
        for row in rows
    ]
    known = _known(connection, [row.row_id for row in rows])
    insert_many(connection, quarantine, _COLUMNS, values, ending="ON CONFLICT DO NOTHING")
    return len({row.row_id for row in rows} - known)


def rows(
    connection: sa.Connection,
    *,
    reason: str | None = None,
    limit: int | None = None,
    after: int = 0,
    row_ids: Sequence[str] | None = None,
) -> list[QuarantinedRow]:
    """Return rows in quarantine, oldest first; those after a place, or some by their names."""
    columns = [quarantine.c[name] for name in _COLUMNS[:-1]]
    query = (
        sa.select(*columns, recipe.c.text, quarantine.c.seq)
        .join(recipe, recipe.c.seq == quarantine.c.recipe)
        .where(quarantine.c.seq > after)
        .order_by(quarantine.c.seq)
        .limit(limit)
    )
    if reason is not None:
        query = query.where(quarantine.c.reason == reason)
    if row_ids is not None and len(row_ids) <= _LOOKUP:
        query = query.where(quarantine.c.row_id.in_(row_ids))
    wanted = None if row_ids is None else set(row_ids)
    found = (QuarantinedRow(*tuple(row)) for row in connection.execute(query))
    return [row for row in found if wanted is None or row.row_id in wanted]


def counts(connection: sa.Connection) -> dict[str, int]:
    """Return how many rows are in quarantine, by reason."""
    query = sa.select(quarantine.c.reason, sa.func.count()).group_by(quarantine.c.reason)
    found = connection.execute(query.order_by(quarantine.c.reason))
    return {str(reason): int(count) for reason, count in found}


def release(connection: sa.Connection, row_ids: Sequence[str]) -> int:
    """Take rows out of quarantine; return how many were there."""
    gone = 0
    for at in range(0, len(row_ids), _LOOKUP):
        some = quarantine.c.row_id.in_(row_ids[at : at + _LOOKUP])
        gone += connection.execute(sa.delete(quarantine).where(some)).rowcount
    return gone


def _known(connection: sa.Connection, row_ids: Sequence[str]) -> set[str]:
    """Return those of the names that are in quarantine already."""
    known: set[str] = set()
    for at in range(0, len(row_ids), _LOOKUP):
        some = quarantine.c.row_id.in_(row_ids[at : at + _LOOKUP])
        known |= set(connection.execute(sa.select(quarantine.c.row_id).where(some)).scalars())
    return known


def _recipe(connection: sa.Connection, text: str) -> int:
    found = connection.execute(sa.select(recipe.c.seq).where(recipe.c.text == text)).scalar()
    if found is not None:
        return int(found)
    made = connection.execute(sa.insert(recipe).values(text=text)).inserted_primary_key
    assert made is not None
    return int(made[0])
