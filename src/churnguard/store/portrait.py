"""Everything that the store holds of a person, told table by table: what they may ask to see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from churnguard.clock import from_us, iso
from churnguard.store.digests import customer_key
from churnguard.store.erasing import mentions
from churnguard.store.service_tables import (
    delivery,
    endpoint,
    identity,
    message,
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
    score_run,
)

_INSTANTS = frozenset(
    {
        *("occurred_at", "received_at", "created_at", "consent_at", "decided_at", "at"),
        *("merged_at", "objected_at", "restricted_at", "from_at", "to_at", "as_of"),
        "delivered_at",
    }
)
_INNER = frozenset({"seq", "event_key", "customer_key", "payload_digest", "document", "run"})


def portrait(connection: sa.Connection, names: Sequence[str]) -> dict[str, Any]:
    """Return what is stored of a person.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        On which everything is of one moment.
    names : sequence of str
        All ids of the person.

    Returns
    -------
    dict
        By kind of record, oldest first; instants as ISO 8601.
    """

    def of(table: sa.Table, *order: sa.Column[Any]) -> list[dict[str, Any]]:
        query = sa.select(table).where(table.c.customer_id.in_(names)).order_by(*order)
        return [_told(row) for row in connection.execute(query)]

    return {
        "aliases": of(identity, identity.c.merged_at, identity.c.alias_id),
        "customer_book": of(customer, customer.c.customer_id),
        "restrictions": of(restriction, restriction.c.customer_id),
        "events": _events(connection, names),
        "conflicts": _conflicts(connection, names),
        "quarantine": _quarantined(connection, names),
        "scores": _scores(connection, names),
        "decisions": of(decision, decision.c.decided_at, decision.c.decision_id),
        "outcomes": _outcomes(connection, names),
        "standing": _documents(_kept_documents(connection, standing, names)),
        "score_changes": of(score_change, score_change.c.seq),
        "told_to": _deliveries(connection, names),
    }


def _kept_documents(
    connection: sa.Connection, table: sa.Table, names: Sequence[str]
) -> Iterable[str]:
    """Return the documents that a table holds of a person."""
    query = sa.select(table.c.document).where(table.c.customer_id.in_(names))
    return connection.execute(query).scalars()


def _events(connection: sa.Connection, names: Sequence[str]) -> list[dict[str, Any]]:
    keys = [customer_key(name) for name in names]
    query = (
        sa.select(event)
        .where(event.c.customer_key.in_(keys), event.c.customer_id.in_(names))
        .order_by(event.c.occurred_at, event.c.event_id)
    )
    return [_told(row) for row in connection.execute(query)]


def _conflicts(connection: sa.Connection, names: Sequence[str]) -> list[Any]:
    keys = [customer_key(name) for name in names]
    query = sa.select(conflict.c.offered).where(conflict.c.customer_key.in_(keys))
    offered = [orjson.loads(text) for text in connection.execute(query).scalars()]
    return [_told_values(values) for values in offered if mentions(values, names)]


def _quarantined(connection: sa.Connection, names: Sequence[str]) -> list[Any]:
    found = []
    for name in names:
        holds = quarantine.c.payload.contains(orjson.dumps(name).decode()[1:-1], autoescape=True)
        columns = (quarantine.c.source, quarantine.c.reason, quarantine.c.detail)
        query = sa.select(*columns, quarantine.c.payload).where(holds)
        for row in connection.execute(query.order_by(quarantine.c.seq)).mappings():
            payload = orjson.loads(row["payload"])
            if mentions(payload, names):
                found.append(dict(row) | {"payload": payload})
    return found


def _scores(connection: sa.Connection, names: Sequence[str]) -> list[Any]:
    query = (
        sa.select(score.c.document)
        .join(score_run, score_run.c.seq == score.c.run)
        .where(score.c.customer_id.in_(names))
        .order_by(score_run.c.as_of)
    )
    return _documents(connection.execute(query).scalars())


def _outcomes(connection: sa.Connection, names: Sequence[str]) -> list[dict[str, Any]]:
    query = (
        sa.select(outcome)
        .join(decision, decision.c.decision_id == outcome.c.decision_id)
        .where(decision.c.customer_id.in_(names))
        .order_by(outcome.c.seq)
    )
    return [_told(row) for row in connection.execute(query)]


def _deliveries(connection: sa.Connection, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return who else was told something about the person, what, and when."""
    query = (
        sa.select(message.c.type, message.c.created_at, endpoint.c.url, delivery.c.state)
        .add_columns(delivery.c.delivered_at)
        .join(delivery, delivery.c.message_id == message.c.message_id)
        .join(endpoint, endpoint.c.endpoint_id == delivery.c.endpoint_id)
        .where(message.c.customer_id.in_(names))
        .order_by(message.c.seq)
    )
    return [_told(row) for row in connection.execute(query)]


def _documents(texts: Iterable[str]) -> list[Any]:
    return [orjson.loads(text) for text in texts]


def _told(row: sa.Row[Any]) -> dict[str, Any]:
    return _told_values(dict(row._mapping))  # noqa: SLF001 # SQLAlchemy's public name for it


def _told_values(values: dict[str, Any]) -> dict[str, Any]:
    """Return what is known, instants readable, without what only the store needs."""
    return {
        # SQLAlchemy's names are a kind of str of their own, which orjson writes into no JSON.
        str(name): iso(from_us(value)) if name in _INSTANTS else value
        for name, value in values.items()
        if value is not None and name not in _INNER
    }
