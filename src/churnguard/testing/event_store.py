"""An event store in memory, with the promises of the real one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from churnguard.clock import from_us
from churnguard.events.customers import BOOK_SCHEMA
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.events.timeline import Timeline
from churnguard.jobs.ports import (
    GONE,
    KNOWN,
    LINKED,
    REFUSED,
    Appended,
    EventBatch,
    Link,
    QuarantinedRow,
    Restriction,
    Taken,
)
from churnguard.store.erasing import mentions
from churnguard.store.records import ACCEPTED, CONFLICT, DUPLICATE, ERASED

_CLOCK_COLUMNS = ("received_at", "clock")


class FakeEventStore:
    """Keep events, quarantine and customers in dictionaries.

    Parameters
    ----------
    events : pyarrow.Table, optional
        Events that are there from the start.

    Examples
    --------
    >>> from churnguard.testing import build_events
    >>> store = FakeEventStore()
    >>> store.append(build_events())
    Appended(accepted=1, duplicates=0, conflicts=0)
    >>> store.append(build_events())
    Appended(accepted=0, duplicates=1, conflicts=0)
    """

    def __init__(self, events: pa.Table | None = None) -> None:
        self._events: dict[str, dict[str, Any]] = {}
        self._quarantined: dict[str, QuarantinedRow] = {}
        self._conflicts: list[dict[str, Any]] = []
        self._customers: dict[str, dict[str, Any]] = {}
        self._aliases: dict[str, str] = {}
        self._placed = 0
        self.book_version = 0
        self.epoch = 0
        self.restricted: dict[str, Restriction] = {}
        self._forgotten: set[str] = set()
        if events is not None:
            self.append(events)

    @property
    def log(self) -> Mapping[str, Mapping[str, Any]]:
        """The events by id, in the order in which they came."""
        return self._events

    def append(
        self,
        events: pa.Table,
        *,
        rejected: Sequence[QuarantinedRow] = (),
        mends: Sequence[str | None] = (),
    ) -> Appended:
        """Store events; the same id again is a duplicate, with another payload a conflict."""
        outcomes = self._append_all(events.to_pylist())
        self.quarantine(rejected)
        self._release_mended(mends, outcomes)
        counts = Counter(outcomes)
        return Appended(
            counts[ACCEPTED],
            counts[DUPLICATE],
            counts[CONFLICT],
            np.array(outcomes, np.int8),
            counts[ERASED],
        )

    def take(self, batches: Sequence[EventBatch]) -> list[Taken]:
        """Store what several requests bring; each becomes what it would alone."""
        return [self._take(batch) for batch in batches]

    def _take(self, batch: EventBatch) -> Taken:
        before = deepcopy(self.__dict__) if batch.whole else {}
        links = [self._link(link) for link in batch.links]
        names = EVENT_SCHEMA.names
        rows = [dict(zip(names, values, strict=True)) for values in batch.rows]
        outcomes = self._append_all(
            row | {name: from_us(row[name]) for name in ("occurred_at", "received_at")}
            for row in rows
        )
        if batch.whole and (CONFLICT in outcomes or {REFUSED, GONE} & set(links)):
            self.__dict__ = before
            return Taken(outcomes, links, stored=False)
        self.quarantine(batch.rejected)
        self._release_mended(batch.mends, outcomes)
        return Taken(outcomes, links)

    def _link(self, link: Link) -> int:
        """Merge an alias into a customer; what is linked already stays as it is."""
        if {link.alias_id, link.customer_id} & self._forgotten:
            return GONE
        target = self._aliases.get(link.customer_id, link.customer_id)
        if link.alias_id in self._aliases:
            return KNOWN if self._aliases[link.alias_id] == target else REFUSED
        if target == link.alias_id:
            return KNOWN if link.customer_id != link.alias_id else REFUSED
        moved = {alias: target for alias, to in self._aliases.items() if to == link.alias_id}
        self._aliases |= {**moved, link.alias_id: target}
        told = [one[which] for one in self._conflicts for which in ("stored", "offered")]
        for row in [*self._events.values(), *filter(None, told)]:
            row["customer_id"] = self._aliases.get(row["customer_id"], row["customer_id"])
        mine = self._customers.pop(link.alias_id, None)
        if mine is not None:
            self._customers[target] = _joined(mine, self._customers.get(target, {}), target)
        return LINKED

    def _append_all(self, rows: Iterable[dict[str, Any]]) -> list[int]:
        broken: set[str] = set()
        return [
            self._append(
                row | {"customer_id": self._aliases.get(row["customer_id"], row["customer_id"])},
                broken,
            )
            for row in rows
        ]

    def _release_mended(self, mends: Sequence[str | None], outcomes: Sequence[int]) -> None:
        mended = zip(mends, outcomes, strict=False)
        self.release([row for row, how in mended if row is not None and how != CONFLICT])

    def _append(self, row: dict[str, Any], broken: set[str]) -> int:
        """Store one event; a new line of an order in conflict is in conflict with it."""
        if row["customer_id"] in self._forgotten:
            return ERASED
        known = self._events.get(row["event_id"])
        if known is None and row["event_id"].partition("#")[0] not in broken:
            self._events[row["event_id"]] = row
            return ACCEPTED
        if known is not None and _payload(known) == _payload(row):
            return DUPLICATE
        broken.add(row["event_id"])
        conflict = {
            "event_id": row["event_id"],
            "first_seen": known["received_at"] if known else None,
            "stored": _payload(known) if known else None,
            "offered": _payload(row),
        }
        if conflict not in self._conflicts:
            self._conflicts.append(conflict)
        return CONFLICT

    def quarantine(self, rows: Sequence[QuarantinedRow]) -> int:
        """Keep rejected rows; return how many were not there before."""
        before = len(self._quarantined)
        for row in rows:
            if row.row_id not in self._quarantined:
                self._placed += 1
                self._quarantined[row.row_id] = replace(row, place=self._placed)
        return len(self._quarantined) - before

    def quarantined(
        self,
        *,
        reason: str | None = None,
        limit: int | None = None,
        after: int = 0,
        row_ids: Sequence[str] | None = None,
    ) -> list[QuarantinedRow]:
        """Return rows in quarantine, oldest first; those after a place, or some by their names."""
        rows = [
            row
            for row in self._quarantined.values()
            if reason in (None, row.reason)
            and row.place > after
            and (row_ids is None or row.row_id in row_ids)
        ]
        return rows[:limit]

    def quarantine_counts(self) -> Mapping[str, int]:
        """Return how many rows are in quarantine, by reason."""
        return Counter(row.reason for row in self._quarantined.values())

    def release(self, row_ids: Sequence[str]) -> int:
        """Take rows out of quarantine."""
        return sum(self._quarantined.pop(row_id, None) is not None for row_id in row_ids)

    def conflicts(self, *, limit: int | None = None) -> list[dict[str, Any]]:
        """Return events whose id came again with another payload."""
        return self._conflicts[:limit]

    def events_of(self, customer_ids: Sequence[str]) -> pa.Table:
        """Return all events of some customers."""
        wanted = set(customer_ids)
        return _table(row for row in self._events.values() if row["customer_id"] in wanted)

    def timeline_of(self, customer_id: str) -> Timeline | None:
        """Return all events of one customer, ready for the kernel; None where there is none."""
        events = self.events_of([customer_id])
        return Timeline.from_arrow(events) if events.num_rows else None

    def has_customer(self, customer_id: str) -> bool:
        """Tell whether the customer has an event or a row in the customer book."""
        return customer_id in self._customers or any(
            row["customer_id"] == customer_id for row in self._events.values()
        )

    @property
    def merges(self) -> int:
        """How many ids turned out to be another customer's."""
        return len(self._aliases)

    def owners(self, customer_ids: Sequence[str]) -> Mapping[str, str]:
        """Return, of those ids that were merged into a customer, into whom."""
        return {name: self._aliases[name] for name in customer_ids if name in self._aliases}

    def history(self) -> pa.Table:
        """Return the whole log."""
        return _table(self._events.values())

    def partitions(self) -> Iterator[pa.Table]:
        """Yield the log in partitions: here, one."""
        yield self.history()

    def export(self) -> int:
        """Do nothing: there is no Parquet history in memory."""
        return 0

    def event_counts(self) -> Mapping[str, int]:
        """Return how many events there are, by event name."""
        return Counter(row["event"] for row in self._events.values())

    def data_through(self, before: datetime | None = None) -> datetime | None:
        """Return the instant of the newest event, of those known before an instant if given."""
        instants = [
            row["occurred_at"]
            for row in self._events.values()
            if before is None or max(row["occurred_at"], row["received_at"]) < before
        ]
        return max(instants, default=None)

    def put_customers(self, customers: pa.Table) -> Appended:
        """Store the customer book."""
        given = customers.to_pylist()
        rows = [row for row in given if row["customer_id"] not in self._forgotten]
        same = 0
        for row in sorted(rows, key=lambda row: row["customer_id"] in self._aliases):
            owner = self._aliases.get(row["customer_id"])
            own = self._customers.get(owner or row["customer_id"])
            whole = row if owner is None else _joined(row, own or {}, owner)
            same += own == whole
            self._customers[whole["customer_id"]] = whole
        self.book_version += same < len(rows)
        return Appended(len(rows) - same, same, 0, erased=len(given) - len(rows))

    def customers(self, customer_ids: Sequence[str] | None = None) -> pa.Table:
        """Return the customer book, or some customers of it."""
        wanted = None if customer_ids is None else set(customer_ids)
        names = sorted(self._customers.keys() | self.restricted.keys())
        rows = [self._book_row(name) for name in names if wanted is None or name in wanted]
        return pa.Table.from_pylist(rows, schema=BOOK_SCHEMA)

    def book_row(self, customer_id: str) -> Mapping[str, Any] | None:
        """Return a customer's row of the customer book, None where there is none."""
        rows: list[dict[str, Any]] = self.customers([customer_id]).to_pylist()
        return rows[0] if rows else None

    def _book_row(self, name: str) -> dict[str, Any]:
        row = {"customer_id": name} | self._customers.get(name, {})
        held = self.restricted.get(name)
        if held is not None and held.objected_at is not None:
            row["opt_out_profiling"] = True
        if held is not None and held.restricted_at is not None:
            row["restricted"] = True
        return row

    def forget(self, customer_id: str, *, for_good: bool = True) -> dict[str, int]:
        """Drop all that is known of a customer, for good also what comes later; count the rows."""
        names = {customer_id, *(alias for alias, to in self._aliases.items() if to == customer_id)}
        mine = [key for key, row in self._events.items() if row["customer_id"] in names]
        for key in mine:
            del self._events[key]
        aside = [
            row.row_id
            for row in self._quarantined.values()
            if mentions(orjson.loads(row.payload), names)
        ]
        self.release(aside)
        book = [name for name in names if self._customers.pop(name, None) is not None]
        self._forgotten |= names if for_good else set()
        self.epoch += 1
        self.book_version += 1
        counts = {"event": len(mine), "quarantine": len(aside), "customer": len(book)}
        return {table: rows for table, rows in counts.items() if rows}


def _payload(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes an event the same event: all but when and how we were told."""
    return {name: value for name, value in row.items() if name not in _CLOCK_COLUMNS}


def _joined(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Join two rows of the customer book; whoever objected or is left out stays so."""
    joined = {key: value if new.get(key) is None else new[key] for key, value in old.items()}
    for key in ("opt_out_profiling", "exclude"):
        joined[key] = True if old.get(key) or new.get(key) else joined.get(key)
    return joined | {"customer_id": name}


def _table(rows: Any) -> pa.Table:
    ordered = sorted(
        rows, key=lambda row: (row["customer_id"], row["occurred_at"], row["event_id"])
    )
    return pa.Table.from_pylist(ordered, schema=EVENT_SCHEMA)
