"""Ids that turned out to be another customer: a guest who signed in, a browser that got a name.

A merge moves what is stored under the alias to the customer, and what comes under it later goes
there at once, so that the log is what it would be had the customer been known from the start.
Nothing is ever taken apart again: an alias keeps the customer that it was linked with first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import sqlalchemy as sa

from churnguard.store.bulk import any_of
from churnguard.store.changes import (
    BOOK_VERSION,
    LOG_EPOCH,
    epoch_of,
    note_merge,
    raise_counter,
)
from churnguard.store.digests import customer_key
from churnguard.store.event_rows import EVENT_COLUMNS, keyed_rows
from churnguard.store.history_changes import note_changes
from churnguard.store.intake_records import KNOWN, LINKED, REFUSED, Link
from churnguard.store.service_tables import identity, restriction, standing
from churnguard.store.tables import conflict, customer, decision, event, history_export, score

_LOOKUP = 2_000


def resolve(connection: sa.Connection, customer_ids: Iterable[str]) -> dict[str, str]:
    """Return, of those ids that are aliases, to whom they belong."""
    if connection.exec_driver_sql("SELECT alias_id FROM identity LIMIT 1").first() is None:
        return {}
    wanted = list(set(customer_ids))
    found: dict[str, str] = {}
    for at in range(0, len(wanted), _LOOKUP):
        some, parameters = any_of(connection, "alias_id", wanted[at : at + _LOOKUP])
        sql = f"SELECT alias_id, customer_id FROM identity WHERE {some}"
        found.update(connection.exec_driver_sql(sql, parameters).all())
    return found


def link(connection: sa.Connection, one: Link, *, at: int) -> int:
    """Link an alias with a customer and move what is stored under it; tell what became of it.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a write transaction.
    one : Link
        Which two.
    at : int
        When, in microseconds.

    Returns
    -------
    int
        ``LINKED``, ``KNOWN`` where it was linked so before, or ``REFUSED`` where the alias belongs
        to somebody else, or would become its own.
    """
    found = resolve(connection, [one.alias_id, one.customer_id])
    target = found.get(one.customer_id, one.customer_id)
    if one.alias_id in found:
        return KNOWN if found[one.alias_id] == target else REFUSED
    if target == one.alias_id:
        return KNOWN if one.customer_id != one.alias_id else REFUSED
    since, mine = epoch_of(connection), identity.c.customer_id == one.alias_id
    followers = connection.execute(sa.select(identity.c.alias_id).where(mine)).scalars().all()
    connection.execute(sa.update(identity).where(mine).values(customer_id=target))
    connection.execute(
        sa.insert(identity).values(
            alias_id=one.alias_id, customer_id=target, merged_at=at, source=one.source
        )
    )
    _move_events(connection, one.alias_id, target)
    _move_conflicts(connection, one.alias_id, target)
    _move_book(connection, one.alias_id, target)
    _move_decisions(connection, one.alias_id, target)
    note_merge(connection, {one.alias_id, target, *followers}, since=since)
    return LINKED


def _move_events(connection: sa.Connection, alias: str, target: str) -> None:
    """Give the alias' events to the customer; their payload names another one now."""
    columns = [event.c.seq, *(event.c[name] for name in EVENT_COLUMNS)]
    query = (
        sa.select(*columns)
        .where(event.c.customer_key == customer_key(alias))
        .where(event.c.customer_id == alias)
    )
    rows = connection.execute(query).all()
    if not rows:
        return
    keyed = keyed_rows([tuple(row[1:]) for row in rows], {alias: target})
    change = (
        sa.update(event)
        .where(event.c.seq == sa.bindparam("moved"))
        .values(
            customer_id=target,
            customer_key=customer_key(target),
            payload_digest=sa.bindparam("digest"),
        )
    )
    connection.execute(
        change,
        [{"moved": row[0], "digest": new[2]} for row, new in zip(rows, keyed, strict=True)],
    )
    raise_counter(connection, LOG_EPOCH)
    exported = connection.execute(sa.select(sa.func.max(history_export.c.last_seq))).scalar() or 0
    if min(row[0] for row in rows) <= exported:
        note_changes(connection, {alias: target})


def _move_conflicts(connection: sa.Connection, alias: str, target: str) -> None:
    query = sa.select(conflict).where(conflict.c.customer_key == customer_key(alias))
    for row in connection.execute(query).all():
        offered = orjson.loads(row.offered)
        if offered["customer_id"] != alias:
            continue
        values = tuple(offered[name] for name in EVENT_COLUMNS)
        (keyed,) = keyed_rows([values], {alias: target})
        here = conflict.c.seq == row.seq
        twin = sa.select(conflict.c.seq).where(
            conflict.c.event_key == row.event_key, conflict.c.payload_digest == keyed[2]
        )
        if connection.execute(twin).first() is not None:
            connection.execute(sa.delete(conflict).where(here))
            continue
        told = orjson.dumps(offered | {"customer_id": target}).decode()
        connection.execute(
            sa.update(conflict)
            .where(here)
            .values(customer_key=keyed[1], payload_digest=keyed[2], offered=told)
        )


def _move_book(connection: sa.Connection, alias: str, target: str) -> None:
    """Join both rows of the customer book; whoever objected or is left out stays so."""
    mine = connection.execute(sa.select(customer).where(customer.c.customer_id == alias)).first()
    _join(connection, restriction, alias, target, stricter=())
    if mine is None:
        return
    _join(connection, customer, alias, target, stricter=("opt_out_profiling", "exclude"))
    raise_counter(connection, BOOK_VERSION)


def _join(
    connection: sa.Connection,
    table: sa.Table,
    alias: str,
    target: str,
    *,
    stricter: tuple[str, ...],
) -> None:
    """Fill what the customer's row does not say with what the alias' row says; drop the latter."""
    named = {
        row.customer_id: dict(row._mapping)  # noqa: SLF001 # SQLAlchemy's public name for it
        for row in connection.execute(
            sa.select(table).where(table.c.customer_id.in_([alias, target]))
        )
    }
    if alias not in named:
        return
    old, new = named[alias], named.get(target, {})
    joined: dict[str, Any] = {
        name: new.get(name) if new.get(name) is not None else value for name, value in old.items()
    }
    joined |= {name: max(old[name] or 0, new.get(name) or 0) or joined[name] for name in stricter}
    joined["customer_id"] = target
    connection.execute(sa.delete(table).where(table.c.customer_id.in_([alias, target])))
    connection.execute(sa.insert(table).values(**joined))


def _move_decisions(connection: sa.Connection, alias: str, target: str) -> None:
    """Keep what was decided with the customer; a score of the alias is nobody's any more."""
    connection.execute(
        sa.update(decision).where(decision.c.customer_id == alias).values(customer_id=target)
    )
    for table in (score, standing):
        connection.execute(sa.delete(table).where(table.c.customer_id == alias))
