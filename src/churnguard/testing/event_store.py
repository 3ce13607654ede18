"""An event store in memory, with the promises of the real one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from churnguard.events.schema import EVENT_SCHEMA
from churnguard.jobs.ports import Appended, QuarantinedRow

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
        if events is not None:
            self.append(events)

    def append(self, events: pa.Table) -> Appended:
        """Store events; the same id again is a duplicate, with another payload a conflict."""
        counts: Counter[str] = Counter()
        for row in events.to_pylist():
            known = self._events.setdefault(row["event_id"], row)
            if known is row:
                counts["accepted"] += 1
            elif _payload(known) == _payload(row):
                counts["duplicates"] += 1
            else:
                counts["conflicts"] += 1
                self._conflicts.append(
                    {
                        "event_id": row["event_id"],
                        "first_seen": known["received_at"],
                        "stored": _payload(known),
                        "offered": _payload(row),
                    }
                )
        return Appended(counts["accepted"], counts["duplicates"], counts["conflicts"])

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

    def data_through(self) -> datetime | None:
        """Return the instant of the newest event."""
        return max((row["occurred_at"] for row in self._events.values()), default=None)

    def put_customers(self, customers: pa.Table) -> Appended:
        """Store the customer book."""
        rows = customers.to_pylist()
        same = sum(self._customers.get(row["customer_id"]) == row for row in rows)
        self._customers |= {row["customer_id"]: row for row in rows}
        return Appended(accepted=len(rows) - same, duplicates=same, conflicts=0)

    def customers(self, customer_ids: Sequence[str] | None = None) -> pa.Table:
        """Return the customer book, or some customers of it."""
        from churnguard.events.customers import CUSTOMER_SCHEMA

        wanted = None if customer_ids is None else set(customer_ids)
        rows = [row for key, row in self._customers.items() if wanted is None or key in wanted]
        return pa.Table.from_pylist(rows, schema=CUSTOMER_SCHEMA)


def _payload(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes an event the same event: all but when and how we were told."""
    return {name: value for name, value in row.items() if name not in _CLOCK_COLUMNS}


def _table(rows: Any) -> pa.Table:
    ordered = sorted(
        rows, key=lambda row: (row["customer_id"], row["occurred_at"], row["event_id"])
    )
    return pa.Table.from_pylist(ordered, schema=EVENT_SCHEMA)
