"""Puts events into the log within a transaction, and says of each what became of it.

An id is accepted once for ever. The same id with the same payload (when and how we were told does
not count) is a duplicate; with another payload it is a conflict, kept beside the log. A line goes
with its order: where the order ``x`` is a conflict, a line ``x#n`` that is not known yet is one
too, so that an order's lines always add up to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from churnguard.store import identity
from churnguard.store.bulk import any_of, insert_many
from churnguard.store.event_rows import EVENT_COLUMNS, ROW_COLUMNS, keyed_rows
from churnguard.store.records import ACCEPTED, CONFLICT, DUPLICATE, ERASED
from churnguard.store.tables import conflict, event, tally
from churnguard.store.tombstones import Tombstones

_LOOKUP = 2_000
_ID, _CUSTOMER, _NAME, _OCCURRED, _RECEIVED = (
    ROW_COLUMNS.index(name)
    for name in ("event_id", "customer_id", "event", "occurred_at", "received_at")
)

Row = tuple[Any, ...]


class Appending:
    """Events that belong together, appended in one transaction.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a write transaction.
    tombstones : Tombstones, optional
        Whose events are dropped.
    """

    def __init__(self, connection: sa.Connection, tombstones: Tombstones | None = None) -> None:
        self._connection = connection
        self._tombstones = tombstones or Tombstones()
        self._broken_orders: set[str] = set()

    def append(self, events: Iterable[Row]) -> list[int]:
        """Store events (values of ``EVENT_SCHEMA``, instants in microseconds); tell of each.

        An order comes before its lines. Events under an alias go to the customer it belongs to.
        """
        rows = list(events)
        gone = self._tombstones.among(self._connection, (row[1] for row in rows))
        if gone:
            return self._append_others(rows, gone)
        aliases = identity.resolve(self._connection, (row[1] for row in rows))
        keyed = keyed_rows(rows, aliases)
        known = _known(self._connection, [row[0] for row in keyed])
        new: list[Row] = []
        conflicting: list[Row] = []
        outcomes = [self._sort(row, known, new, conflicting) for row in keyed]
        insert_many(self._connection, event, ROW_COLUMNS, new)
        _count(self._connection, new)
        _keep_conflicts(self._connection, conflicting)
        return outcomes

    def _append_others(self, rows: list[Row], gone: frozenset[str]) -> list[int]:
        """Store events of all but the erased; these are counted, and nothing of them is kept."""
        late = Counter(row[1] for row in rows if row[1] in gone)
        self._tombstones.count_late(self._connection, late)
        others = iter(self.append([row for row in rows if row[1] not in gone]))
        return [ERASED if row[1] in gone else next(others) for row in rows]

    def _sort(
        self, row: Row, known: dict[bytes, int], new: list[Row], conflicting: list[Row]
    ) -> int:
        """Put one event where it belongs: among the new, the conflicting, or nowhere."""
        key, digest = row[0], row[2]
        before = known.get(key)
        if before is None and not self._goes_with_a_broken_order(row[_ID]):
            known[key] = digest
            new.append(row)
            return ACCEPTED
        if before == digest:
            return DUPLICATE
        if before is not None:
            self._broken_orders.add(row[_ID])
        conflicting.append(row)
        return CONFLICT

    def _goes_with_a_broken_order(self, event_id: str) -> bool:
        if not self._broken_orders:
            return False
        parent, is_line, _ = event_id.partition("#")
        return bool(is_line) and parent in self._broken_orders


def _known(connection: sa.Connection, keys: list[bytes]) -> dict[bytes, int]:
    """Return the payload digests of those event keys that are in the log."""
    if connection.exec_driver_sql("SELECT seq FROM event LIMIT 1").first() is None:
        return {}
    known: dict[bytes, int] = {}
    for at in range(0, len(keys), _LOOKUP):
        wanted, parameters = any_of(connection, "event_key", keys[at : at + _LOOKUP])
        sql = f"SELECT event_key, payload_digest FROM event WHERE {wanted}"
        known.update(connection.exec_driver_sql(sql, parameters).all())
    return known


def _count(connection: sa.Connection, new: Sequence[Row]) -> None:
    """Bring the tally up to date with events that were just stored."""
    found: dict[str, tuple[int, int]] = {}
    for row in new:
        events, newest = found.get(row[_NAME], (0, row[_OCCURRED]))
        found[row[_NAME]] = events + 1, max(newest, row[_OCCURRED])
    values = [(name, *found[name]) for name in sorted(found)]
    later = "greatest" if connection.dialect.name == "postgresql" else "max"
    ending = (
        "ON CONFLICT (event) DO UPDATE SET events = tally.events + excluded.events, "
        f"newest = {later}(tally.newest, excluded.newest)"
    )
    insert_many(connection, tally, ("event", "events", "newest"), values, ending=ending)


def _keep_conflicts(connection: sa.Connection, rows: Sequence[Row]) -> None:
    columns = ("event_key", "customer_key", "payload_digest", "received_at", "offered")
    values = [(*row[:3], row[_RECEIVED], as_json(row[3:])) for row in rows]
    insert_many(connection, conflict, columns, values, ending="ON CONFLICT DO NOTHING")


def as_json(values: Sequence[Any]) -> str:
    """Return an event's values as a JSON object by column."""
    return orjson.dumps(dict(zip(EVENT_COLUMNS, values, strict=True))).decode()
