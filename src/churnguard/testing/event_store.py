"""An event store in memory, with the promises of the real one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.jobs.ports import Appended, QuarantinedRow
from churnguard.store.records import ACCEPTED, CONFLICT, DUPLICATE

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
        self.book_version = 0
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
        broken: set[str] = set()
        outcomes = [self._append(row, broken) for row in events.to_pylist()]
        self.quarantine(rejected)
        mended = zip(mends, outcomes, strict=False)
        self.release([row for row, how in mended if row is not None and how != CONFLICT])
        counts = Counter(outcomes)
        return Appended(
            counts[ACCEPTED], counts[DUPLICATE], counts[CONFLICT], np.array(outcomes, np.int8)
        )

    def _append(self, row: dict[str, Any], broken: set[str]) -> int:
        """Store one event; a new line of an order in conflict is in conflict with it."""
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
            self._quarantined.setdefault(row.row_id, row)
        return len(self._quarantined) - before

    def quarantined(
        self, *, reason: str | None = None, limit: int | None = None
    ) -> list[QuarantinedRow]:
        """Return rows in quarantine, oldest first."""
        rows = [row for row in self._quarantined.values() if reason in (None, row.reason)]
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

    def has_customer(self, customer_id: str) -> bool:
        """Tell whether the customer has an event or a row in the customer book."""
        return customer_id in self._customers or any(
            row["customer_id"] == customer_id for row in self._events.values()
        )

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
        rows = customers.to_pylist()
        same = sum(self._customers.get(row["customer_id"]) == row for row in rows)
        self.book_version += same < len(rows)
        self._customers |= {row["customer_id"]: row for row in rows}
        return Appended(accepted=len(rows) - same, duplicates=same, conflicts=0)

    def customers(self, customer_ids: Sequence[str] | None = None) -> pa.Table:
        """Return the customer book, or some customers of it."""
        wanted = None if customer_ids is None else set(customer_ids)
        book = sorted(self._customers.items())
        rows = [row for key, row in book if wanted is None or key in wanted]
        return pa.Table.from_pylist(rows, schema=CUSTOMER_SCHEMA)


def _payload(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes an event the same event: all but when and how we were told."""
    return {name: value for name, value in row.items() if name not in _CLOCK_COLUMNS}


def _table(rows: Any) -> pa.Table:
    ordered = sorted(
        rows, key=lambda row: (row["customer_id"], row["occurred_at"], row["event_id"])
    )
    return pa.Table.from_pylist(ordered, schema=EVENT_SCHEMA)
