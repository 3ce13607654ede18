"""The real outbox: endpoints, messages and deliveries in SQL.

A message is written in the transaction of what it tells of, with one delivery for each endpoint
that wants it. Whoever sends claims deliveries for a while: a sender that dies loses nothing, since
what it claimed falls due again, under the same message id.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from churnguard.clock import from_us, to_us
from churnguard.store.changes import raise_counter
from churnguard.store.database import reading, writing
from churnguard.store.service_records import Attempt, Delivery, DeliveryState, Endpoint, Message
from churnguard.store.service_tables import delivery, endpoint, message
from churnguard.store.tables import meta

_LOOKUP = 500
_ENDED = "deliveries_"
"""Before a state: the counter in ``meta`` of what ended so."""


class SqlOutbox:
    """Webhook endpoints and the messages that wait for them.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`churnguard.store.database.open_database`.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    # -- endpoints --------------------------------------------------------------------------

    def add_endpoint(
        self, url: str, events: Sequence[str], *, now: datetime, description: str = ""
    ) -> Endpoint:
        """Keep a new endpoint, its secret of generation 1."""
        made = Endpoint(f"we_{secrets.token_hex(8)}", url, tuple(events), description, 1, now)
        with writing(self._engine) as connection:
            connection.execute(
                sa.insert(endpoint).values(
                    endpoint_id=made.endpoint_id,
                    url=url,
                    events=orjson.dumps(list(events)).decode(),
                    description=description,
                    secret_generation=1,
                    created_at=to_us(now),
                )
            )
        return made

    def endpoints(self) -> list[Endpoint]:
        """Return all endpoints, oldest first."""
        query = sa.select(endpoint).order_by(endpoint.c.created_at, endpoint.c.endpoint_id)
        with reading(self._engine) as connection:
            return [_endpoint(row._mapping) for row in connection.execute(query)]  # noqa: SLF001

    def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """Return one endpoint."""
        query = sa.select(endpoint).where(endpoint.c.endpoint_id == endpoint_id)
        with reading(self._engine) as connection:
            found = connection.execute(query).mappings().first()
        return None if found is None else _endpoint(found)

    def remove_endpoint(self, endpoint_id: str) -> bool:
        """Take an endpoint and its deliveries out; False when there is none."""
        with writing(self._engine) as connection:
            connection.execute(sa.delete(delivery).where(delivery.c.endpoint_id == endpoint_id))
            gone = sa.delete(endpoint).where(endpoint.c.endpoint_id == endpoint_id)
            return connection.execute(gone).rowcount == 1

    def rotate(self, endpoint_id: str, *, now: datetime) -> Endpoint | None:
        """Go on to the next generation of the secret."""
        generation = endpoint.c.secret_generation + 1
        return self._change(endpoint_id, secret_generation=generation, rotated_at=to_us(now))

    def disable(self, endpoint_id: str, *, reason: str, now: datetime) -> None:
        """Send nothing there any more; what waits for it fails, and can be replayed."""
        with writing(self._engine) as connection:
            mine = endpoint.c.endpoint_id == endpoint_id
            values = {"disabled_at": to_us(now), "disabled_reason": reason}
            connection.execute(sa.update(endpoint).where(mine).values(**values))
            waits = sa.and_(delivery.c.endpoint_id == endpoint_id, delivery.c.state == "waiting")
            failed = {"state": "failed", "last_error": "endpoint_disabled"}
            gone = connection.execute(sa.update(delivery).where(waits).values(**failed)).rowcount
            if gone:
                raise_counter(connection, f"{_ENDED}failed", by=gone)

    def enable(self, endpoint_id: str) -> Endpoint | None:
        """Send there again."""
        return self._change(endpoint_id, disabled_at=None, disabled_reason=None)

    def _change(self, endpoint_id: str, **values: Any) -> Endpoint | None:
        mine = endpoint.c.endpoint_id == endpoint_id
        with writing(self._engine) as connection:
            connection.execute(sa.update(endpoint).where(mine).values(**values))
            found = connection.execute(sa.select(endpoint).where(mine)).mappings().first()
        return None if found is None else _endpoint(found)

    # -- messages ---------------------------------------------------------------------------

    def put(self, messages: Sequence[Message]) -> int:
        """Keep messages for every live endpoint that wants their type; return the deliveries."""
        if not messages:
            return 0
        with writing(self._engine) as connection:
            return put_messages(connection, messages)

    def claim(
        self, *, now: datetime, until: datetime, limit: int = 100, each: int = 10
    ) -> list[Delivery]:
        """Take deliveries that are due, at most ``each`` an endpoint; longest due first."""
        due = sa.and_(delivery.c.state == "waiting", delivery.c.next_at <= to_us(now))
        with reading(self._engine) as connection:  # most looks find nothing, and take no lock
            if connection.execute(sa.select(delivery.c.seq).where(due).limit(1)).first() is None:
                return []
        order = (delivery.c.next_at, delivery.c.seq)
        place = sa.func.row_number().over(partition_by=delivery.c.endpoint_id, order_by=order)
        ranked = (
            sa.select(delivery.c.seq, delivery.c.next_at, place.label("place"))
            .join(endpoint, endpoint.c.endpoint_id == delivery.c.endpoint_id)
            .where(due, endpoint.c.disabled_at.is_(None))
            .subquery()
        )
        first = (
            sa.select(ranked.c.seq)
            .where(ranked.c.place <= each)
            .order_by(ranked.c.next_at, ranked.c.seq)
            .limit(limit)
        )
        with writing(self._engine) as connection:
            numbers = list(connection.execute(first).scalars())
            mine = delivery.c.seq.in_(numbers)
            connection.execute(sa.update(delivery).where(mine).values(next_at=to_us(until)))
            found = {row.number: row for row in _read(connection, mine)}
        return [found[number] for number in numbers]

    def record(self, delivery: Delivery, attempt: Attempt) -> bool:
        """Write down what became of an attempt; False where somebody else did meanwhile."""
        table = _DELIVERY
        mine = sa.and_(
            table.c.seq == delivery.number,
            table.c.state == "waiting",
            table.c.attempts == delivery.attempts,
        )
        values = {
            "state": attempt.state,
            "attempts": delivery.attempts + 1,
            "next_at": to_us(attempt.next_at),
            "last_status": attempt.status,
            "last_error": attempt.error,
            "delivered_at": to_us(attempt.at) if attempt.state == "delivered" else None,
        }
        with writing(self._engine) as connection:
            done = connection.execute(sa.update(table).where(mine).values(**values)).rowcount == 1
            if done:
                raise_counter(connection, _ENDED + attempt.state)
            if done and attempt.state == "delivered":
                _forget_whom(connection, delivery.message.message_id)
            return done

    def deliveries(
        self,
        endpoint_id: str,
        *,
        state: DeliveryState | None = None,
        limit: int = 50,
        before: int | None = None,
    ) -> list[Delivery]:
        """Return an endpoint's deliveries, newest first; ``before`` is a number seen already."""
        wanted = [delivery.c.endpoint_id == endpoint_id]
        if state is not None:
            wanted.append(delivery.c.state == state)
        if before is not None:
            wanted.append(delivery.c.seq < before)
        with reading(self._engine) as connection:
            return _read(connection, sa.and_(*wanted), limit=limit)

    def replay(
        self, endpoint_id: str, *, now: datetime, message_ids: Collection[str] | None = None
    ) -> int:
        """Make failed deliveries (these, or all) wait again from the first attempt on."""
        failed = sa.and_(delivery.c.endpoint_id == endpoint_id, delivery.c.state == "failed")
        values = {"state": "waiting", "attempts": 0, "next_at": to_us(now)}
        again = sa.update(delivery).values(**values)
        with writing(self._engine) as connection:
            if message_ids is None:
                return connection.execute(again.where(failed)).rowcount
            ids = sorted(set(message_ids))
            return sum(
                connection.execute(
                    again.where(failed, delivery.c.message_id.in_(ids[at : at + _LOOKUP]))
                ).rowcount
                for at in range(0, len(ids), _LOOKUP)
            )

    def counts(self) -> Mapping[str, int]:
        """Return how many deliveries there are, by state."""
        query = sa.select(delivery.c.state, sa.func.count()).group_by(delivery.c.state)
        with reading(self._engine) as connection:
            return {str(state): int(count) for state, count in connection.execute(query)}

    def ended(self) -> Mapping[str, int]:
        """Return how many attempts ever ended, by state; these numbers only rise."""
        query = sa.select(meta.c.name, meta.c.value).where(meta.c.name.startswith(_ENDED))
        with reading(self._engine) as connection:
            found = connection.execute(query)
            return {str(name).removeprefix(_ENDED): int(count) for name, count in found}

    def oldest_waiting(self) -> datetime | None:
        """Return since when the message that waits longest is there."""
        query = (
            sa.select(sa.func.min(message.c.created_at))
            .join(delivery, delivery.c.message_id == message.c.message_id)
            .where(delivery.c.state == "waiting")
        )
        with reading(self._engine) as connection:
            found = connection.execute(query).scalar()
        return None if found is None else from_us(found)

    def prune(self, before: datetime) -> int:
        """Forget messages from before an instant that wait nowhere; return how many."""
        waits = sa.select(delivery.c.message_id).where(delivery.c.state == "waiting")
        old = sa.and_(message.c.created_at < to_us(before), message.c.message_id.not_in(waits))
        theirs = sa.select(message.c.message_id).where(old)
        with writing(self._engine) as connection:
            connection.execute(sa.delete(delivery).where(delivery.c.message_id.in_(theirs)))
            return connection.execute(sa.delete(message).where(old)).rowcount


_DELIVERY = delivery


def _forget_whom(connection: sa.Connection, message_id: str) -> None:
    """Take the person out of the news of their erasure once everybody has it."""
    waiting = sa.select(delivery.c.seq).where(
        delivery.c.message_id == message_id, delivery.c.state == "waiting"
    )
    if connection.execute(waiting.limit(1)).first() is None:
        told = sa.and_(message.c.message_id == message_id, message.c.type == "subject.erased")
        connection.execute(
            sa.update(message).where(told).values(body='{"type":"subject.erased","data":{}}')
        )


def put_messages(connection: sa.Connection, messages: Sequence[Message]) -> int:
    """Write messages within the transaction of what they tell of; return the deliveries made.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction (:func:`churnguard.store.database.writing`).
    messages : sequence of Message
        One whose id is known, or that no live endpoint wants, is left out.
    """
    live = [
        (row.endpoint_id, frozenset(orjson.loads(row.events)))
        for row in connection.execute(sa.select(endpoint).where(endpoint.c.disabled_at.is_(None)))
    ]
    made = 0
    for one in messages:
        wanting = [endpoint_id for endpoint_id, types in live if one.type in types]
        known = sa.select(message.c.seq).where(message.c.message_id == one.message_id)
        if not wanting or connection.execute(known).first() is not None:
            continue
        at = to_us(one.created_at)
        connection.execute(sa.insert(message).values(**vars(one) | {"created_at": at}))
        values = {"message_id": one.message_id, "state": "waiting", "attempts": 0, "next_at": at}
        rows = [values | {"endpoint_id": endpoint_id} for endpoint_id in wanting]
        connection.execute(sa.insert(delivery), rows)
        made += len(rows)
    return made


def _read(
    connection: sa.Connection, where: sa.ColumnElement[bool], *, limit: int | None = None
) -> list[Delivery]:
    """Return deliveries with their messages and endpoints, newest first."""
    tables = delivery.join(message, message.c.message_id == delivery.c.message_id)
    tables = tables.join(endpoint, endpoint.c.endpoint_id == delivery.c.endpoint_id)
    query = (
        sa.select(delivery, message, endpoint)
        .set_label_style(sa.LABEL_STYLE_TABLENAME_PLUS_COL)
        .select_from(tables)
        .where(where)
        .order_by(delivery.c.seq.desc())
        .limit(limit)
    )
    return [_delivery(row) for row in connection.execute(query).mappings()]


def _delivery(row: Mapping[Any, Any]) -> Delivery:
    delivered = row["delivery_delivered_at"]
    return Delivery(
        number=row["delivery_seq"],
        message=Message(
            message_id=row["message_message_id"],
            type=row["message_type"],
            customer_id=row["message_customer_id"],
            body=row["message_body"],
            created_at=from_us(row["message_created_at"]),
        ),
        endpoint=_endpoint({column.name: row[f"endpoint_{column.name}"] for column in endpoint.c}),
        state=row["delivery_state"],
        attempts=row["delivery_attempts"],
        next_at=from_us(row["delivery_next_at"]),
        last_status=row["delivery_last_status"],
        last_error=row["delivery_last_error"],
        delivered_at=None if delivered is None else from_us(delivered),
    )


def _endpoint(row: Mapping[Any, Any]) -> Endpoint:
    def instant(name: str) -> datetime | None:
        return None if row[name] is None else from_us(row[name])

    return Endpoint(
        endpoint_id=row["endpoint_id"],
        url=row["url"],
        events=tuple(orjson.loads(row["events"])),
        description=row["description"],
        generation=row["secret_generation"],
        created_at=from_us(row["created_at"]),
        rotated_at=instant("rotated_at"),
        disabled_at=instant("disabled_at"),
        disabled_reason=row["disabled_reason"],
    )
