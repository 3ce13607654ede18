"""What people ask about their own data, in SQL: objection, restriction, access and erasure."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import orjson
import sqlalchemy as sa

from churnguard.clock import from_us, to_us
from churnguard.store.audit_chain import AuditKey
from churnguard.store.changes import BOOK_VERSION, raise_counter
from churnguard.store.checkpoints import empty_log
from churnguard.store.connecting import schema_of
from churnguard.store.database import reading, writing
from churnguard.store.erasing import aliases_of, erase_person
from churnguard.store.portrait import portrait
from churnguard.store.privacy_records import ErasureReceipt, Restriction
from churnguard.store.service_tables import identity, receipt, restriction, tombstone
from churnguard.store.tables import customer, event
from churnguard.store.tombstones import Tombstones

_LOOKUP = 2_000


class SqlPrivacyStore:
    """Restrictions, tombstones and receipts in SQL.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`churnguard.store.database.open_database`.
    tombstones : Tombstones
        How erased people are known.
    key : callable
        Returns the key with which receipts are signed.
    """

    def __init__(self, engine: sa.Engine, tombstones: Tombstones, key: Callable[[], bytes]) -> None:
        self._engine = engine
        self._tombstones = tombstones
        self._key = key

    # -- objection and restriction ----------------------------------------------------------

    def restrict(self, customer_ids: Sequence[str], wanted: Restriction) -> int:
        """Set what holds for some people from now on; an empty restriction lifts it.

        Returns
        -------
        int
            For how many it changed.
        """
        values = {
            "objected_at": None if wanted.objected_at is None else to_us(wanted.objected_at),
            "restricted_at": None if wanted.restricted_at is None else to_us(wanted.restricted_at),
            "source": wanted.source,
        }
        changed = 0
        with writing(self._engine) as connection:
            gone = self._tombstones.among(connection, customer_ids)
            for customer_id in dict.fromkeys(customer_ids):
                if customer_id not in gone:
                    changed += _set(connection, customer_id, values)
            if changed:
                raise_counter(connection, BOOK_VERSION)
        return changed

    def restrictions(self, customer_ids: Sequence[str] | None = None) -> dict[str, Restriction]:
        """Return what holds for people, for all or some of them."""
        with reading(self._engine) as connection:
            rows = list(_restricted(connection, customer_ids))
        return {
            row.customer_id: Restriction(
                _instant(row.objected_at), _instant(row.restricted_at), row.source
            )
            for row in rows
        }

    # -- access -----------------------------------------------------------------------------

    def about(self, customer_id: str) -> dict[str, Any]:
        """Return everything that is stored of a person, by table, JSON-ready."""
        with reading(self._engine) as connection:
            return portrait(connection, [customer_id, *aliases_of(connection, customer_id)])

    def erased(self, customer_ids: Sequence[str]) -> frozenset[str]:
        """Return those of some people who were erased."""
        with reading(self._engine) as connection:
            return self._tombstones.among(connection, customer_ids)

    # -- erasure ----------------------------------------------------------------------------

    def erase(self, customer_id: str, *, receipt_id: str, at: datetime) -> Mapping[str, int]:
        """Remove a person from every table and keep a tombstone, in one transaction.

        The Parquet history follows when it is settled; see :meth:`finish`.

        Returns
        -------
        mapping of str to int
            Rows removed, by table; empty where nothing was known of the person.
        """
        with writing(self._engine) as connection:
            names = [customer_id, *aliases_of(connection, customer_id)]
            counts = erase_person(connection, names)
            digests = [self._tombstones.digest(name) for name in names]
            self._tombstones.bury(connection, digests, at=to_us(at), receipt_id=receipt_id)
            values = {"state": "running", "body": orjson.dumps({"tables": counts}).decode()}
            connection.execute(
                sa.insert(receipt).values(receipt_id=receipt_id, at=to_us(at), **values)
            )
        return counts

    def silent_since(self, before: datetime) -> list[str]:
        """Return people without an event at or after an instant, and with one before it."""
        query = (
            sa.select(event.c.customer_id)
            .group_by(event.c.customer_id)
            .having(sa.func.max(event.c.occurred_at) < to_us(before))
            .order_by(event.c.customer_id)
        )
        with reading(self._engine) as connection:
            return list(connection.execute(query).scalars())

    def forget(self, customer_ids: Sequence[str]) -> int:
        """Remove people from every table without a tombstone; return the events removed."""
        with writing(self._engine) as connection:
            names = [
                name
                for customer_id in customer_ids
                for name in (customer_id, *aliases_of(connection, customer_id))
            ]
            return erase_person(connection, names).get("event", 0)

    def scrub(self) -> None:
        """Make the database forget what was deleted: no copy in free pages or the log of writes."""
        raw = self._engine.raw_connection()
        try:
            cursor = raw.cursor()
            if schema_of(self._engine) is None:
                empty_log(cast(sqlite3.Cursor, cursor))
            else:
                raw.driver_connection.autocommit = True  # type: ignore[union-attr]
                cursor.execute("VACUUM")
                raw.driver_connection.autocommit = False  # type: ignore[union-attr]
        finally:
            raw.close()

    def finish(self, receipt_id: str, body: Mapping[str, Any]) -> ErasureReceipt:
        """Sign a receipt: every store has been visited."""
        text = orjson.dumps(dict(body), option=orjson.OPT_SORT_KEYS)
        signature = AuditKey(self._key()).attest(text)
        change = sa.update(receipt).where(receipt.c.receipt_id == receipt_id)
        values = {"state": "done", "body": text.decode(), "signature": signature}
        with writing(self._engine) as connection:
            connection.execute(change.values(**values))
        found = self.receipt(receipt_id)
        assert found is not None
        return found

    def receipt(self, receipt_id: str) -> ErasureReceipt | None:
        """Return a receipt by its name."""
        query = sa.select(receipt).where(receipt.c.receipt_id == receipt_id)
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        return None if row is None else _receipt(row)

    def receipts(self) -> list[ErasureReceipt]:
        """Return all receipts, newest first."""
        query = sa.select(receipt).order_by(receipt.c.at.desc(), receipt.c.receipt_id)
        with reading(self._engine) as connection:
            return [_receipt(row) for row in connection.execute(query)]

    def receipt_of(self, customer_id: str) -> ErasureReceipt | None:
        """Return the receipt of a person who was erased."""
        query = (
            sa.select(receipt)
            .join(tombstone, tombstone.c.receipt_id == receipt.c.receipt_id)
            .where(tombstone.c.subject == self._tombstones.digest(customer_id))
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        return None if row is None else _receipt(row)

    def proven(self, found: ErasureReceipt) -> bool:
        """Tell whether a receipt is done and its signature right."""
        text = orjson.dumps(dict(found.body), option=orjson.OPT_SORT_KEYS)
        return found.state == "done" and AuditKey(self._key()).attested(text, found.signature or "")

    def tombstones(self) -> dict[bytes, tuple[int, str]]:
        """Return every tombstone: when, and by which receipt."""
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(tombstone))
            return {bytes(row.subject): (row.erased_at, row.receipt_id) for row in rows}

    def keep_tombstones(self, graves: Mapping[bytes, tuple[int, str]]) -> None:
        """Keep tombstones that were noted elsewhere; those that are known stay as they are."""
        with writing(self._engine) as connection:
            self._tombstones.keep(connection, graves)

    def returned(self, digests: Iterable[bytes]) -> list[str]:
        """Return people who are here although their tombstone says that they were erased."""
        wanted = frozenset(digests)
        with reading(self._engine) as connection:
            return [
                name for name in _everybody(connection) if self._tombstones.digest(name) in wanted
            ]


def _set(connection: sa.Connection, customer_id: str, values: Mapping[str, Any]) -> int:
    here = restriction.c.customer_id == customer_id
    before = connection.execute(sa.select(restriction).where(here)).first()
    held = None if before is None else (before.objected_at, before.restricted_at)
    wanted = values["objected_at"], values["restricted_at"]
    if wanted == (None, None):
        return connection.execute(sa.delete(restriction).where(here)).rowcount
    if held is not None and [x is None for x in held] == [x is None for x in wanted]:
        return 0  # as it was: the first date stands
    kept = dict(values)
    if held is not None:
        names = ("objected_at", "restricted_at")
        for name, old, new in zip(names, held, wanted, strict=True):
            kept[name] = old if old is not None and new is not None else new
        connection.execute(sa.delete(restriction).where(here))
    connection.execute(sa.insert(restriction).values(customer_id=customer_id, **kept))
    return 1


def _restricted(
    connection: sa.Connection, customer_ids: Sequence[str] | None
) -> Iterator[sa.Row[Any]]:
    query = sa.select(restriction).order_by(restriction.c.customer_id)
    if customer_ids is None:
        yield from connection.execute(query)
        return
    for at in range(0, len(customer_ids), _LOOKUP):
        some = restriction.c.customer_id.in_(customer_ids[at : at + _LOOKUP])
        yield from connection.execute(query.where(some))


def _everybody(connection: sa.Connection) -> Iterator[str]:
    columns = (event.c.customer_id, customer.c.customer_id, identity.c.alias_id)
    for column in columns:
        yield from connection.execute(sa.select(column).distinct()).scalars()


def _receipt(row: sa.Row[Any]) -> ErasureReceipt:
    return ErasureReceipt(
        row.receipt_id, from_us(row.at), row.state, orjson.loads(row.body), row.signature
    )


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else from_us(microseconds)
