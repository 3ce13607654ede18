"""The port for events: the one door in, and every way to read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from churnguard.store.intake_records import EventBatch, Taken
from churnguard.store.records import Appended, QuarantinedRow

if TYPE_CHECKING:  # who only asks for the ledger needs none of its compiled loops
    from churnguard.events.timeline import Timeline


class EventStore(Protocol):
    """The one door for events, and where they are read from."""

    def append(
        self,
        events: pa.Table,
        *,
        rejected: Sequence[QuarantinedRow] = (),
        mends: Sequence[str | None] = (),
    ) -> Appended:
        """Store canonical events (``EVENT_SCHEMA``) durably; the same id twice is a duplicate.

        ``rejected`` rows go to the quarantine. ``mends`` names, event by event, the quarantined
        row that it mends, if any; that row leaves the quarantine unless the event is a conflict.
        All of a call is one transaction: everything is stored, or nothing.
        """

    def take(self, batches: Sequence[EventBatch]) -> list[Taken]:
        """Store what several requests bring, in one transaction: all is stored, or nothing.

        Each batch becomes what it would alone; one that has to be whole and is not leaves nothing.
        """

    def quarantine(self, rows: Sequence[QuarantinedRow]) -> int:
        """Keep rejected rows; return how many were not there before."""

    def quarantined(
        self,
        *,
        reason: str | None = None,
        limit: int | None = None,
        after: int = 0,
        row_ids: Sequence[str] | None = None,
    ) -> list[QuarantinedRow]:
        """Return rows in quarantine, oldest first; those after a place, or some by their names."""

    def quarantine_counts(self) -> Mapping[str, int]:
        """Return how many rows are in quarantine, by reason."""

    def release(self, row_ids: Sequence[str]) -> int:
        """Take rows out of quarantine, after a replay accepted them."""

    def conflicts(self, *, limit: int | None = None) -> list[dict[str, Any]]:
        """Return events whose id came again with another payload: id, first seen, both payloads."""

    def events_of(self, customer_ids: Sequence[str]) -> pa.Table:
        """Return all events of some customers (canonical), straight from the store."""

    def timeline_of(self, customer_id: str) -> Timeline | None:
        """Return all events of one customer, ready for the kernel; None where there is none."""

    def has_customer(self, customer_id: str) -> bool:
        """Tell whether the customer has an event or a row in the customer book."""

    def owners(self, customer_ids: Sequence[str]) -> Mapping[str, str]:
        """Return, of those ids that were merged into a customer, into whom."""

    def history(self) -> pa.Table:
        """Return the whole log (canonical): Parquet history plus the store's tail."""

    def partitions(self) -> Iterator[pa.Table]:
        """Yield the log in partitions; a customer's events stand side by side in one of them."""

    def export(self) -> int:
        """Bring the Parquet history up to date; return the events written."""

    def event_counts(self) -> Mapping[str, int]:
        """Return how many events there are, by event name."""

    def data_through(self, before: datetime | None = None) -> datetime | None:
        """Return the instant of the newest event, of those known before an instant if given."""

    def put_customers(self, customers: pa.Table) -> Appended:
        """Store the customer book; an unchanged row is a duplicate, a changed one is accepted."""

    def customers(self, customer_ids: Sequence[str] | None = None) -> pa.Table:
        """Return the customer book: see ``events.customers.CUSTOMER_SCHEMA``."""

    def book_row(self, customer_id: str) -> Mapping[str, Any] | None:
        """Return a customer's row of :meth:`customers`, None where there is none."""
