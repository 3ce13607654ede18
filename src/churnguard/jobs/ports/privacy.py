"""The port for what people ask about their own data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from churnguard.store.privacy_records import ErasureReceipt, Restriction


class PrivacyStore(Protocol):
    """Objection, restriction, access and erasure."""

    def restrict(self, customer_ids: Sequence[str], wanted: Restriction) -> int:
        """Set what holds for people from now on; an empty restriction lifts it.

        The customer book tells of it at once. Returns for how many it changed something; a date
        that holds already stays.
        """

    def restrictions(self, customer_ids: Sequence[str] | None = None) -> Mapping[str, Restriction]:
        """Return what holds for people, for all or some of them."""

    def about(self, customer_id: str) -> dict[str, Any]:
        """Return everything that is stored of a person, by kind of record, JSON-ready."""

    def erased(self, customer_ids: Sequence[str]) -> frozenset[str]:
        """Return those of some people who were erased."""

    def erase(self, customer_id: str, *, receipt_id: str, at: datetime) -> Mapping[str, int]:
        """Remove a person from every table and keep a tombstone, in one transaction.

        What comes in for the person later is counted and dropped. Returns rows by table.
        """

    def silent_since(self, before: datetime) -> list[str]:
        """Return people without an event at or after an instant, and with one before it."""

    def forget(self, customer_ids: Sequence[str]) -> int:
        """Remove people from every table without a tombstone: they may come back."""

    def scrub(self) -> None:
        """Make the database forget what was deleted, also in pages that are free now."""

    def finish(self, receipt_id: str, body: Mapping[str, Any]) -> ErasureReceipt:
        """Sign a receipt: every store has been visited."""

    def receipt(self, receipt_id: str) -> ErasureReceipt | None:
        """Return a receipt by its name."""

    def receipts(self) -> list[ErasureReceipt]:
        """Return all receipts, newest first."""

    def receipt_of(self, customer_id: str) -> ErasureReceipt | None:
        """Return the receipt of a person who was erased."""

    def proven(self, found: ErasureReceipt) -> bool:
        """Tell whether a receipt is done and its signature right."""

    def tombstones(self) -> Mapping[bytes, tuple[int, str]]:
        """Return every tombstone: when (microseconds), and by which receipt."""

    def keep_tombstones(self, graves: Mapping[bytes, tuple[int, str]]) -> None:
        """Keep tombstones that were noted elsewhere; those that are known stay as they are."""

    def returned(self, digests: Iterable[bytes]) -> list[str]:
        """Return people who are here although they are among these tombstones."""
