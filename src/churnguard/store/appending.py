"""Puts events into the log within a transaction, and says of each what became of it.

An id is accepted once for ever. The same id with the same payload (when and how we were told does
not count) is a duplicate; with another payload it is a conflict, kept beside the log. A line goes
with its order: where the order ``x`` is a conflict, a line ``x#n`` that is not known yet is one
too, so that an order's lines always add up to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
_VALUES = ROW_COLUMNS.index(EVENT_COLUMNS[0])

Row = tuple[Any, ...]


class Appending:
    """Events appended in one transaction.

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

        An order comes before its lines, in this call or one before. Events under an alias go to the
        customer it belongs to.
        """
        return self._append([keyed_rows(list(events))], [self._broken_orders])[0]

    def append_groups(self, groups: Sequence[Sequence[Row]]) -> list[list[int]]:
        """Store groups of rows with their keys, each as if it came alone; tell of each event."""
        return self._append(groups, [set() for _ in groups])

    def _append(
        self, groups: Sequence[Sequence[Row]], broken: Sequence[set[str]]
    ) -> list[list[int]]:
        rows = [row for group in groups for row in group]
        gone = self._tombstones.among(self._connection, (row[_CUSTOMER] for row in rows))
        if gone:
            return self._append_others(groups, broken, gone)
        aliases = identity.resolve(self._connection, (row[_CUSTOMER] for row in rows))
        if aliases:
            rows = [_owned(row, aliases) for row in rows]
        keys = [row[0] for row in rows]
        known = _known(self._connection, keys)
        new: list[Row] = []
        conflicting: list[Row] = []
        if not known and not any(broken) and len(set(keys)) == len(keys):
            new, outcomes = rows, [[ACCEPTED] * len(group) for group in groups]
        else:
            each = iter(rows)
            outcomes = [
                [_sort(next(each), known, orders, new, conflicting) for _ in group]
                for group, orders in zip(groups, broken, strict=True)
            ]
        insert_many(self._connection, event, ROW_COLUMNS, new)
        _count(self._connection, new)
        _keep_conflicts(self._connection, conflicting)
        return outcomes

    def _append_others(
        self, groups: Sequence[Sequence[Row]], broken: Sequence[set[str]], gone: frozenset[str]
    ) -> list[list[int]]:
        """Store events of all but the erased; these are counted, and nothing of them is kept."""
        late = Counter(
            row[_CUSTOMER] for group in groups for row in group if row[_CUSTOMER] in gone
        )
        self._tombstones.count_late(self._connection, late)
        others = [[row for row in group if row[_CUSTOMER] not in gone] for group in groups]
        told = [iter(found) for found in self._append(others, broken)]
        return [
            [ERASED if row[_CUSTOMER] in gone else next(found) for row in group]
            for group, found in zip(groups, told, strict=True)
        ]


def _owned(row: Row, aliases: Mapping[str, str]) -> Row:
    """Return a row under the customer to whom its id belongs, whom its payload names then."""
    if row[_CUSTOMER] not in aliases:
        return row
    return keyed_rows([row[_VALUES:]], aliases)[0]


def _sort(
    row: Row, known: dict[bytes, int], broken: set[str], new: list[Row], conflicting: list[Row]
) -> int:
    """Put one event where it belongs: among the new, the conflicting, or nowhere."""
    key, digest = row[0], row[2]
    before = known.get(key)
    if before is None and not (broken and _order_of(row[_ID]) in broken):
        known[key] = digest
        new.append(row)
        return ACCEPTED
    if before == digest:
        return DUPLICATE
    if before is not None:
        broken.add(row[_ID])
    conflicting.append(row)
    return CONFLICT


def _order_of(event_id: str) -> str:
    """Return the id of the order that a line belongs to; nothing for what is no line."""
    order, is_line, _ = event_id.partition("#")
    return order if is_line else ""


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
    events = Counter([row[_NAME] for row in new])
    newest: dict[str, int] = {}
    for row in new:
        name, occurred = row[_NAME], row[_OCCURRED]
        if name not in newest or occurred > newest[name]:
            newest[name] = occurred
    values = [(name, events[name], newest[name]) for name in sorted(events)]
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
