"""The real event store: one SQL database as the truth, and Parquet derived from it.

What becomes of an event that comes in is decided in :mod:`churnguard.store.appending`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import sqlalchemy as sa

from churnguard.clock import from_us, to_us
from churnguard.store import customer_book, identity, quarantine
from churnguard.store.appending import Appending
from churnguard.store.bulk import any_of
from churnguard.store.database import asked, reading, writing
from churnguard.store.digests import customer_key
from churnguard.store.erasing import words_of
from churnguard.store.event_rows import (
    EVENT_COLUMNS,
    canonical,
    keyed_rows,
    to_table,
    to_values,
)
from churnguard.store.history import ParquetHistory
from churnguard.store.intake_records import GONE, REFUSED, EventBatch, Taken
from churnguard.store.records import CONFLICT, ERASED, Appended, QuarantinedRow
from churnguard.store.tables import conflict, event, tally
from churnguard.store.tombstones import Tombstones

if TYPE_CHECKING:
    from churnguard.events.timeline import Timeline

_CHUNK = 50_000
_LOOKUP = 2_000
_COLUMNS = [event.c[name] for name in EVENT_COLUMNS]
_UNREAD = {"event_id", "customer_id", "clock", "currency", "properties"}
_KERNEL_COLUMNS = tuple(name for name in EVENT_COLUMNS if name not in _UNREAD)
_KERNELS, _IN_TIME = ", ".join(_KERNEL_COLUMNS), "occurred_at, event_id"


class SqlEventStore:
    """Events, their quarantine and the customer book in SQL, with a Parquet history.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`churnguard.store.database.open_database`.
    folder : Path
        Where the Parquet history is kept: ``<project>/data/events``.
    tombstones : Tombstones, optional
        Erased people: what comes in for them is dropped.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from churnguard.events.schema import empty_events
    >>> from churnguard.store.database import open_database
    >>> with TemporaryDirectory() as name:
    ...     engine = open_database("sqlite:///shop.db", root=Path(name))
    ...     SqlEventStore(engine, Path(name) / "events").append(empty_events())
    Appended(accepted=0, duplicates=0, conflicts=0)
    """

    def __init__(
        self, engine: sa.Engine, folder: Path, *, tombstones: Tombstones | None = None
    ) -> None:
        self._engine = engine
        self._tombstones = tombstones or Tombstones()
        self._history = ParquetHistory(engine, folder)

    # -- in ---------------------------------------------------------------------------------

    def append(
        self,
        events: pa.Table,
        *,
        rejected: Sequence[QuarantinedRow] = (),
        mends: Sequence[str | None] = (),
    ) -> Appended:
        """Store canonical events durably, in one transaction with what was rejected.

        Parameters
        ----------
        events : pyarrow.Table
            In ``EVENT_SCHEMA``; an order before its lines.
        rejected : sequence of QuarantinedRow
            Rows for the quarantine.
        mends : sequence of str or None
            Event by event, the quarantined row that it mends; it leaves the quarantine unless the
            event is a conflict. Empty: none is mended.

        Returns
        -------
        Appended

        Raises
        ------
        SchemaError
            If the table does not fit the schema.
        StoreError
            If the store cannot be written; nothing of the call is stored then.
        """
        events = canonical(events)
        outcomes = np.empty(events.num_rows, np.int8)
        with writing(self._engine) as connection:
            appending = Appending(connection, self._tombstones)
            for start in range(0, events.num_rows, _CHUNK):
                rows = to_values(events.slice(start, _CHUNK))
                outcomes[start : start + len(rows)] = appending.append(rows)
            _put_rejected(connection, rejected, self._tombstones)
            _release_mended(connection, mends, outcomes.tolist() if mends else ())
        counts = np.bincount(outcomes, minlength=4).tolist()
        accepted, duplicates, conflicts = counts[:ERASED]
        return Appended(accepted, duplicates, conflicts, outcomes, counts[ERASED])

    def take(self, batches: Sequence[EventBatch]) -> list[Taken]:
        """Store what several requests bring, in one transaction; tell each its own outcomes.

        Raises
        ------
        StoreError
            If the store cannot be written; nothing of any batch is stored then.
        """
        with writing(self._engine) as connection:
            return [
                taken
                for _, run in groupby(batches, key=lambda batch: batch.whole or bool(batch.links))
                for taken in _take(connection, list(run), self._tombstones)
            ]

    def conflicts(self, *, limit: int | None = None) -> list[dict[str, Any]]:
        """Return events whose id came again with another payload, oldest first.

        Returns
        -------
        list of dict
            ``event_id``, ``first_seen`` (when we were told the stored one), ``stored`` and
            ``offered``: both payloads. ``stored`` is None for a line whose order is the conflict.
        """
        columns = [conflict.c.offered, *_COLUMNS]
        query = (
            sa.select(*columns)
            .select_from(conflict.outerjoin(event, event.c.event_key == conflict.c.event_key))
            .order_by(conflict.c.seq)
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return [_conflict(row[0], row[1:]) for row in connection.execute(query)]

    # -- out --------------------------------------------------------------------------------

    def events_of(self, customer_ids: Sequence[str]) -> pa.Table:
        """Return all events of some customers, sorted by customer, ``occurred_at`` and id."""
        wanted = sorted(set(customer_ids))
        with reading(self._engine) as connection:
            rows: list[Any] = []
            for at in range(0, len(wanted), _LOOKUP):
                rows += _events_of(connection, wanted[at : at + _LOOKUP])
        return to_table(rows)

    def timeline_of(self, customer_id: str) -> Timeline | None:
        """Return all events of one customer, ready for the kernel; None where there is none."""
        from churnguard.events.timeline import Timeline

        by_key, first = any_of(self._engine, "customer_key", [customer_key(customer_id)])
        by_id, second = any_of(self._engine, "customer_id", [customer_id])
        sql = f"SELECT {_KERNELS} FROM event WHERE {by_key} AND {by_id} ORDER BY {_IN_TIME}"
        rows = asked(self._engine, sql, first + second)
        if not rows:
            return None
        columns = zip(_KERNEL_COLUMNS, zip(*rows, strict=True), strict=True)
        return Timeline.of_customer(customer_id, dict(columns))

    def has_customer(self, customer_id: str) -> bool:
        """Tell whether the customer has an event or a row in the customer book."""
        has_event = (
            sa.select(event.c.seq)
            .where(event.c.customer_key == customer_key(customer_id))
            .where(event.c.customer_id == customer_id)
            .limit(1)
        )
        with reading(self._engine) as connection:
            if connection.execute(has_event).first() is not None:
                return True
            return customer_book.has(connection, customer_id)

    def owners(self, customer_ids: Sequence[str]) -> Mapping[str, str]:
        """Return, of those ids that were merged into a customer, into whom."""
        with reading(self._engine) as connection:
            return identity.resolve(connection, customer_ids)

    def history(self) -> pa.Table:
        """Return the whole log: the Parquet history and the store's tail."""
        return self._history.read()

    def partitions(self) -> Iterator[pa.Table]:
        """Yield the log by bucket of customers; all events of a customer are in one of them."""
        return self._history.partitions()

    def export(self) -> int:
        """Bring the Parquet history up to date; return the events written."""
        return self._history.export()

    def event_counts(self) -> Mapping[str, int]:
        """Return how many events there are, by event name."""
        query = sa.select(tally.c.event, tally.c.events).order_by(tally.c.event)
        with reading(self._engine) as connection:
            return {row.event: row.events for row in connection.execute(query)}

    def data_through(self, before: datetime | None = None) -> datetime | None:
        """Return the instant of the newest event, of those known before an instant if one is given.

        Asked about today the tally answers; asked about the past the log does, by its index.
        """
        newest: sa.Select[Any] = sa.select(sa.func.max(tally.c.newest))
        if before is not None:
            instant = to_us(before)
            newest = (
                sa.select(event.c.occurred_at)
                .where(event.c.occurred_at < instant, event.c.received_at < instant)
                .order_by(event.c.occurred_at.desc())
                .limit(1)
            )
        with reading(self._engine) as connection:
            found = connection.execute(newest).scalar()
        return None if found is None else from_us(found)

    # -- beside the log ---------------------------------------------------------------------

    def quarantine(self, rows: Sequence[QuarantinedRow]) -> int:
        """Keep rejected rows; return how many were not there before."""
        with writing(self._engine) as connection:
            return _put_rejected(connection, rows, self._tombstones)

    def quarantined(
        self,
        *,
        reason: str | None = None,
        limit: int | None = None,
        after: int = 0,
        row_ids: Sequence[str] | None = None,
    ) -> list[QuarantinedRow]:
        """Return rows in quarantine, oldest first."""
        with reading(self._engine) as connection:
            return quarantine.rows(
                connection, reason=reason, limit=limit, after=after, row_ids=row_ids
            )

    def quarantine_counts(self) -> Mapping[str, int]:
        """Return how many rows are in quarantine, by reason."""
        with reading(self._engine) as connection:
            return quarantine.counts(connection)

    def release(self, row_ids: Sequence[str]) -> int:
        """Take rows out of quarantine; return how many were there."""
        with writing(self._engine) as connection:
            return quarantine.release(connection, row_ids)

    def put_customers(self, customers: pa.Table) -> Appended:
        """Store the customer book; an unchanged row is a duplicate, a changed one is accepted."""
        with writing(self._engine) as connection:
            return customer_book.put(connection, customers, self._tombstones)

    def customers(self, customer_ids: Sequence[str] | None = None) -> pa.Table:
        """Return the customer book, or some customers of it, sorted by customer."""
        with reading(self._engine) as connection:
            return customer_book.read(connection, customer_ids)

    def book_row(self, customer_id: str) -> Mapping[str, Any] | None:
        """Return a customer's row of the customer book, None where there is none."""
        return customer_book.row_of(self._engine, customer_id)


def _take(
    connection: sa.Connection, batches: Sequence[EventBatch], tombstones: Tombstones
) -> list[Taken]:
    """Store batches: all at once, but one by one those that have to be whole or merge ids."""
    if batches[0].whole or batches[0].links:
        return [_take_one(connection, batch, tombstones) for batch in batches]
    appending = Appending(connection, tombstones)
    outcomes = appending.append_groups([batch.keyed or keyed_rows(batch.rows) for batch in batches])
    rejected = [row for batch in batches for row in batch.rejected]
    _put_rejected(connection, rejected, tombstones)
    for batch, found in zip(batches, outcomes, strict=True):
        _release_mended(connection, batch.mends, found)
    return [Taken(found) for found in outcomes]


def _take_one(connection: sa.Connection, batch: EventBatch, tombstones: Tombstones) -> Taken:
    """Store one batch; of one that has to be whole, all of it or nothing."""
    named = (name for one in batch.links for name in (one.alias_id, one.customer_id))
    with connection.begin_nested() as savepoint:
        gone = tombstones.among(connection, named)
        links = [
            GONE
            if {one.alias_id, one.customer_id} & gone
            else identity.link(connection, one, at=batch.at)
            for one in batch.links
        ]
        (taken,) = _take(connection, [replace(batch, links=(), whole=False)], tombstones)
        if batch.whole and (CONFLICT in taken.outcomes or {REFUSED, GONE} & set(links)):
            savepoint.rollback()
            return replace(taken, links=links, stored=False)
    return replace(taken, links=links)


def _put_rejected(
    connection: sa.Connection, rows: Sequence[QuarantinedRow], tombstones: Tombstones
) -> int:
    """Put rows into the quarantine, but none that names an erased person."""
    if not rows or not tombstones.exist(connection):
        return quarantine.put(connection, rows)
    told = [frozenset(words_of(orjson.loads(row.payload))) for row in rows]
    gone = tombstones.among(connection, (word for words in told for word in words))
    kept = [row for row, words in zip(rows, told, strict=True) if words.isdisjoint(gone)]
    return quarantine.put(connection, kept)


def _release_mended(
    connection: sa.Connection, mends: Sequence[str | None], outcomes: Sequence[int]
) -> None:
    mended = [row for row, how in zip(mends, outcomes, strict=False) if how != CONFLICT]
    quarantine.release(connection, [row for row in mended if row is not None])


_SORTED = "ORDER BY customer_id, occurred_at, event_id"


def _events_of(connection: sa.Connection, customer_ids: list[str]) -> Sequence[Any]:
    """Read by the driver's own SQL: this stands in every request, and rows need no conversion.

    The database sorts texts by their bytes, as the log is sorted everywhere.
    """
    keys = [customer_key(name) for name in customer_ids]
    by_key, first = any_of(connection, "customer_key", keys)
    by_id, second = any_of(connection, "customer_id", customer_ids)
    sql = f"SELECT {', '.join(EVENT_COLUMNS)} FROM event WHERE {by_key} AND {by_id} {_SORTED}"
    return connection.exec_driver_sql(sql, first + second).all()


def _conflict(offered: str, stored: Sequence[Any]) -> dict[str, Any]:
    there = dict(zip(EVENT_COLUMNS, stored, strict=True))
    payload = orjson.loads(offered)
    known = there["event_id"] is not None
    return {
        "event_id": payload["event_id"],
        "first_seen": from_us(there["received_at"]) if known else None,
        "stored": _readable(there) if known else None,
        "offered": _readable(payload),
    }


def _readable(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a payload without our clocks, its instant as a datetime."""
    kept = {name: payload[name] for name in EVENT_COLUMNS if name not in {"received_at", "clock"}}
    return kept | {"occurred_at": from_us(kept["occurred_at"])}
