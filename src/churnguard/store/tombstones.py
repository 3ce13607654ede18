"""Erased people, known by keyed digests alone: what comes in for them later is dropped and counted.

Who was erased cannot be read from the table; only whoever has the service's own key can tell
whether a given id is among them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property

import sqlalchemy as sa

from churnguard.store.bulk import any_of, insert_many
from churnguard.store.service_tables import tombstone

_LOOKUP = 2_000
_COLUMNS = ("subject", "erased_at", "receipt_id")


class Tombstones:
    """The erased people of one shop.

    Parameters
    ----------
    service_key : callable, optional
        Returns the service's own key; asked when somebody has been erased. Without it nobody is.

    Examples
    --------
    >>> stones = Tombstones(lambda: b"k" * 32)
    >>> stones.digest("C1") == stones.digest("C1") != stones.digest("C2")
    True
    """

    def __init__(self, service_key: Callable[[], bytes] | None = None) -> None:
        self._service_key = service_key

    def digest(self, customer_id: str) -> bytes:
        """Return the 32 bytes under which an id is known: HMAC-SHA256 with a key of its own."""
        return hmac.digest(self._key, customer_id.encode(), hashlib.sha256)

    def exist(self, connection: sa.Connection) -> bool:
        """Tell whether anybody was ever erased."""
        if self._service_key is None:
            return False
        return connection.exec_driver_sql("SELECT 1 FROM tombstone LIMIT 1").first() is not None

    def among(self, connection: sa.Connection, customer_ids: Iterable[str]) -> frozenset[str]:
        """Return those of some customers that were erased."""
        if not self.exist(connection):
            return frozenset()
        named = {self.digest(name): name for name in set(customer_ids)}
        digests, found = list(named), set[str]()
        for at in range(0, len(digests), _LOOKUP):
            some, parameters = any_of(connection, "subject", digests[at : at + _LOOKUP])
            sql = f"SELECT subject FROM tombstone WHERE {some}"
            rows = connection.exec_driver_sql(sql, parameters)
            found |= {named[bytes(row[0])] for row in rows}
        return frozenset(found)

    def bury(
        self, connection: sa.Connection, digests: Collection[bytes], *, at: int, receipt_id: str
    ) -> None:
        """Keep digests of people who are erased from now on."""
        rows = [(digest, at, receipt_id) for digest in digests]
        ending = "ON CONFLICT (subject) DO UPDATE SET receipt_id = excluded.receipt_id"
        insert_many(connection, tombstone, _COLUMNS, rows, ending=ending)

    def keep(self, connection: sa.Connection, graves: Mapping[bytes, tuple[int, str]]) -> None:
        """Keep digests that were noted elsewhere, with when and by which receipt."""
        rows = [(digest, at, receipt_id) for digest, (at, receipt_id) in graves.items()]
        insert_many(connection, tombstone, _COLUMNS, rows, ending="ON CONFLICT DO NOTHING")

    def count_late(self, connection: sa.Connection, late: Mapping[str, int]) -> None:
        """Count events that came in for erased people, by id."""
        for customer_id, events in late.items():
            connection.execute(
                sa.update(tombstone)
                .where(tombstone.c.subject == self.digest(customer_id))
                .values(late_events=tombstone.c.late_events + events)
            )

    @cached_property
    def _key(self) -> bytes:
        assert self._service_key is not None, "digests need the service's key"
        return hmac.digest(self._service_key(), b"churnguard erased subject", hashlib.sha256)
