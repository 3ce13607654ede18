"""Takes a person out of every table, in one transaction.

Each table that may hold a person is an entry of :data:`TABLES`; a house test holds that no table is
missing from it or from the list of those that never do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from churnguard.store.changes import BOOK_VERSION, LOG_EPOCH, forget_merges, raise_counter
from churnguard.store.connecting import schema_of
from churnguard.store.digests import customer_key
from churnguard.store.history_changes import note_changes
from churnguard.store.service_tables import (
    delivery,
    identity,
    message,
    reply,
    restriction,
    score_change,
    standing,
)
from churnguard.store.tables import (
    conflict,
    customer,
    decision,
    event,
    outcome,
    quarantine,
    score,
    tally,
)

_CHUNK = 500
_FEW = 20


def aliases_of(connection: sa.Connection, customer_id: str) -> list[str]:
    """Return the other ids under which a person is known."""
    query = sa.select(identity.c.alias_id).where(identity.c.customer_id == customer_id)
    return list(connection.execute(query.order_by(identity.c.alias_id)).scalars())


def erase_person(connection: sa.Connection, names: Sequence[str]) -> dict[str, int]:
    """Remove a person; the Parquet history is noted to follow.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a write transaction.
    names : sequence of str
        All ids of the person.

    Returns
    -------
    dict of str to int
        Rows removed, by table; tables with none are left out.
    """
    if schema_of(connection.engine) is None:
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
    counts = {table: remove(connection, names) for table, remove in TABLES.items()}
    note_changes(connection, dict.fromkeys(names))
    forget_merges(connection)
    for counter in (LOG_EPOCH, BOOK_VERSION):
        raise_counter(connection, counter)
    return {table: rows for table, rows in counts.items() if rows}


def mentions(value: Any, names: Collection[str]) -> bool:
    """Tell whether a JSON value holds one of some ids, at any depth.

    Examples
    --------
    >>> mentions({"row": [{"user": 17850}]}, ["17850"]), mentions({"user": "178501"}, ["17850"])
    (True, False)
    """
    return not frozenset(names).isdisjoint(words_of(value))


def words_of(value: Any) -> Iterator[str]:
    """Yield every key and single value of a JSON value, as text.

    Examples
    --------
    >>> list(words_of({"user": [17850]}))
    ['user', '17850']
    """
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from words_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from words_of(inner)
    else:
        yield str(value)


def _events(connection: sa.Connection, names: Sequence[str]) -> int:
    mine = sa.and_(
        event.c.customer_key.in_([customer_key(name) for name in names]),
        event.c.customer_id.in_(names),
    )
    counted = sa.select(event.c.event, sa.func.count()).where(mine).group_by(event.c.event)
    removed: dict[str, int] = {row[0]: row[1] for row in connection.execute(counted)}
    connection.execute(sa.delete(event).where(mine))
    for kind, events in removed.items():
        newest = connection.execute(
            sa.select(event.c.occurred_at)
            .where(event.c.event == kind)
            .order_by(event.c.occurred_at.desc())
            .limit(1)
        ).scalar()
        here = tally.c.event == kind
        if newest is None:
            connection.execute(sa.delete(tally).where(here))
        else:
            left = {"events": tally.c.events - events, "newest": newest}
            connection.execute(sa.update(tally).where(here).values(**left))
    return sum(removed.values())


def _conflicts(connection: sa.Connection, names: Sequence[str]) -> int:
    keys = [customer_key(name) for name in names]
    rows = connection.execute(
        sa.select(conflict.c.seq, conflict.c.offered).where(conflict.c.customer_key.in_(keys))
    )
    return _drop(connection, conflict.c.seq, _those(rows, names))


def _quarantine(connection: sa.Connection, names: Sequence[str]) -> int:
    """Look through it once, however many are named; of a few, the database finds the candidates."""
    query = sa.select(quarantine.c.seq, quarantine.c.payload)
    if len(names) <= _FEW:
        parts = [orjson.dumps(name).decode()[1:-1] for name in names]
        query = query.where(
            sa.or_(*(quarantine.c.payload.contains(part, autoescape=True) for part in parts))
        )
    rows = connection.execute(query.execution_options(yield_per=_CHUNK))
    return _drop(connection, quarantine.c.seq, _those(rows, names))


def _replies(connection: sa.Connection, names: Sequence[str]) -> int:
    """Kept answers are short-lived and few; each is looked into."""
    parts = [orjson.dumps(name)[1:-1] for name in names]
    rows = connection.execute(sa.select(reply.c.key_digest, reply.c.body)).all()
    mine = [key for key, body in rows if body and any(part in bytes(body) for part in parts)]
    return _drop(connection, reply.c.key_digest, mine)


def _outcomes(connection: sa.Connection, names: Sequence[str]) -> int:
    mine = sa.select(decision.c.decision_id).where(decision.c.customer_id.in_(names))
    return connection.execute(sa.delete(outcome).where(outcome.c.decision_id.in_(mine))).rowcount


def _deliveries(connection: sa.Connection, names: Sequence[str]) -> int:
    mine = sa.select(message.c.message_id).where(message.c.customer_id.in_(names))
    return connection.execute(sa.delete(delivery).where(delivery.c.message_id.in_(mine))).rowcount


def _of(column: sa.Column[Any]) -> Callable[[sa.Connection, Sequence[str]], int]:
    """Return what removes the rows of a table whose column is one of the person's ids."""

    def remove(connection: sa.Connection, names: Sequence[str]) -> int:
        return connection.execute(sa.delete(column.table).where(column.in_(names))).rowcount

    return remove


TABLES: Mapping[str, Callable[[sa.Connection, Sequence[str]], int]] = {
    "event": _events,
    "conflict": _conflicts,
    "quarantine": _quarantine,
    "customer": _of(customer.c.customer_id),
    "identity": _of(identity.c.customer_id),
    "restriction": _of(restriction.c.customer_id),
    "score": _of(score.c.customer_id),
    "outcome": _outcomes,
    "decision": _of(decision.c.customer_id),
    "standing": _of(standing.c.customer_id),
    "score_change": _of(score_change.c.customer_id),
    "delivery": _deliveries,
    "message": _of(message.c.customer_id),
    "reply": _replies,
}
"""How a person leaves each table; what refers to another table goes first."""

NEVER = frozenset(
    {
        *("alembic_version", "tally", "recipe", "score_run", "ledger", "api_key", "history_export"),
        *("meta", "endpoint", "job", "job_step", "lease", "audit", "audit_day", "tombstone"),
        "receipt",
    }
)
"""Tables in which nobody is named: totals, names of our own, digests and keyed pseudonyms."""


def _those(rows: Any, names: Sequence[str]) -> list[Any]:
    wanted = frozenset(names)
    return [key for key, text in rows if mentions(orjson.loads(text), wanted)]


def _drop(connection: sa.Connection, column: sa.Column[Any], keys: Sequence[Any]) -> int:
    for at in range(0, len(keys), _CHUNK):
        some = column.in_(keys[at : at + _CHUNK])
        connection.execute(sa.delete(column.table).where(some))
    return len(keys)
