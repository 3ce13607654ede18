"""A privacy store in memory, over the event store in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from churnguard.clock import to_us
from churnguard.jobs.ports import ErasureReceipt, Restriction
from churnguard.testing.event_store import FakeEventStore


class FakePrivacyStore:
    """Keep restrictions, tombstones and receipts in dictionaries.

    Parameters
    ----------
    events : FakeEventStore
        Whose log and customer book people leave.
    """

    def __init__(self, events: FakeEventStore) -> None:
        self._events = events
        self._receipts: dict[str, ErasureReceipt] = {}
        self._graves: dict[bytes, tuple[int, str]] = {}

    def restrict(self, customer_ids: Sequence[str], wanted: Restriction) -> int:
        """Set what holds for people from now on; an empty restriction lifts it."""
        names = [name for name in dict.fromkeys(customer_ids) if not self.erased([name])]
        return sum(self._restrict(name, wanted) for name in names)

    def _restrict(self, name: str, wanted: Restriction) -> bool:
        held = self._events.restricted.get(name)
        if wanted.objected_at is None and wanted.restricted_at is None:
            return self._events.restricted.pop(name, None) is not None
        if held is not None and _shape(held) == _shape(wanted):
            return False
        first = held or wanted
        objected = wanted.objected_at and (first.objected_at or wanted.objected_at)
        restricted = wanted.restricted_at and (first.restricted_at or wanted.restricted_at)
        self._events.restricted[name] = Restriction(objected, restricted, wanted.source)
        return True

    def restrictions(self, customer_ids: Sequence[str] | None = None) -> dict[str, Restriction]:
        """Return what holds for people, for all or some of them."""
        held = sorted(self._events.restricted.items())
        return {name: one for name, one in held if customer_ids is None or name in customer_ids}

    def about(self, customer_id: str) -> dict[str, Any]:
        """Return the events and the row of the customer book."""
        return {
            "customer_book": self._events.customers([customer_id]).to_pylist(),
            "events": self._events.events_of([customer_id]).to_pylist(),
        }

    def erased(self, customer_ids: Sequence[str]) -> frozenset[str]:
        """Return those of some people who were erased."""
        return frozenset(name for name in customer_ids if _digest(name) in self._graves)

    def erase(self, customer_id: str, *, receipt_id: str, at: datetime) -> Mapping[str, int]:
        """Remove a person and keep a tombstone."""
        counts = self._events.forget(customer_id)
        self._events.restricted.pop(customer_id, None)
        self._graves[_digest(customer_id)] = to_us(at), receipt_id
        self._receipts[receipt_id] = ErasureReceipt(receipt_id, at, "running", {"tables": counts})
        return counts

    def silent_since(self, before: datetime) -> list[str]:
        """Return people without an event at or after an instant, and with one before it."""
        newest: dict[str, datetime] = {}
        for row in self._events.log.values():
            name, at = row["customer_id"], row["occurred_at"]
            newest[name] = max(at, newest.get(name, at))
        return sorted(name for name, at in newest.items() if at < before)

    def forget(self, customer_ids: Sequence[str]) -> int:
        """Remove people without a tombstone; return the events removed."""
        return sum(
            self._events.forget(name, for_good=False).get("event", 0) for name in customer_ids
        )

    def scrub(self) -> None:
        """Do nothing: memory has no free pages."""

    def finish(self, receipt_id: str, body: Mapping[str, Any]) -> ErasureReceipt:
        """Sign a receipt."""
        begun = self._receipts[receipt_id]
        done = ErasureReceipt(receipt_id, begun.at, "done", dict(body), "signed")
        self._receipts[receipt_id] = done
        return done

    def receipt(self, receipt_id: str) -> ErasureReceipt | None:
        """Return a receipt by its name."""
        return self._receipts.get(receipt_id)

    def receipts(self) -> list[ErasureReceipt]:
        """Return all receipts, newest first."""
        return sorted(self._receipts.values(), key=lambda one: one.at, reverse=True)

    def receipt_of(self, customer_id: str) -> ErasureReceipt | None:
        """Return the receipt of a person who was erased."""
        grave = self._graves.get(_digest(customer_id))
        return None if grave is None else self._receipts.get(grave[1])

    def proven(self, found: ErasureReceipt) -> bool:
        """Tell whether a receipt is done and its signature right."""
        return found == self._receipts.get(found.receipt_id) and found.state == "done"

    def tombstones(self) -> Mapping[bytes, tuple[int, str]]:
        """Return every tombstone."""
        return dict(self._graves)

    def keep_tombstones(self, graves: Mapping[bytes, tuple[int, str]]) -> None:
        """Keep tombstones that were noted elsewhere."""
        self._graves = {**graves, **self._graves}

    def returned(self, digests: Iterable[bytes]) -> list[str]:
        """Return people who are here although they are among these tombstones."""
        wanted = frozenset(digests)
        names = {*self._events.history()["customer_id"].to_pylist()}
        return sorted(name for name in names if _digest(name) in wanted)


def _digest(name: str) -> bytes:
    return sha256(name.encode()).digest()


def _shape(one: Restriction) -> tuple[bool, bool]:
    return one.objected_at is None, one.restricted_at is None
