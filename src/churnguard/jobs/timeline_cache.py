"""What scores of a few customers are made of, kept in memory and never out of date.

Every look-up first asks the store how far it is: one question of constant cost. Customers with new
events are dropped, the customer book and the contacts are dropped when they changed, everything is
dropped where the log was rewritten. So whatever was acknowledged before a request is in its answer,
whichever process took it in.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from churnguard.errors import StoreUnavailable
from churnguard.events.timeline import Timeline
from churnguard.jobs.ports import LogPosition, Shop
from churnguard.jobs.shelf import Shelf

MOST_BYTES = 256 * 1024 * 1024
FEW_CUSTOMERS = 8
"""More customers than this in one request are read together and not kept."""
DEGRADED_SECONDS = 900.0
"""How long after the store last answered what it said may stand in for it."""

_SMALL = 1_024  # bytes that a row of the book or the contacts of a customer take, amply
_BYTES_OF_TIMELINE = 24_576  # what its objects take, beside the events
_BYTES_OF_EVENT = 1_024  # an event as it was read, and as the kernel reads it, amply


@dataclass(frozen=True)
class Known:
    """What the store knows of some customers.

    Attributes
    ----------
    timelines : sequence of Timeline
        Their events; every customer who has one is in one of them.
    book : mapping of str to mapping
        Their rows of the customer book.
    last_actions : mapping of str to mapping of str to datetime
        When they were last contacted, by action.
    data_through : datetime or None
        The newest event of the shop known before the instant asked about.
    degraded : bool
        The store does not answer; this is what it said last.
    """

    timelines: Sequence[Timeline]
    book: Mapping[str, Mapping[str, Any]]
    last_actions: Mapping[str, Mapping[str, datetime]]
    data_through: datetime | None
    degraded: bool = False


class KnownOf(Protocol):
    """How what is known of some customers is looked up."""

    def __call__(
        self, customer_ids: Sequence[str], before: datetime, *, events: bool = True
    ) -> Known:
        """Return what is known of customers, and the shop's newest event before an instant.

        Parameters
        ----------
        customer_ids : sequence of str
            Whom.
        before : datetime
            The instant asked about.
        events : bool
            Look up timelines as well; without, there are none.
        """

    def owners(self, customer_ids: Sequence[str], before: datetime) -> Mapping[str, str]:
        """Return, of ids that turned out to be another customer's, whose they are.

        Parameters
        ----------
        customer_ids : sequence of str
            Any ids.
        before : datetime
            The instant asked about; the answer does not depend on it.
        """


@dataclass(frozen=True)
class FreshKnown:
    """Asks the store for everything, each time."""

    shop: Shop

    def __call__(
        self, customer_ids: Sequence[str], before: datetime, *, events: bool = True
    ) -> Known:
        """Return what is known of customers; see :class:`KnownOf`."""
        timelines = []
        if events:
            timelines = [Timeline.from_arrow(self.shop.events.events_of(customer_ids))]
        return Known(
            timelines=[timeline for timeline in timelines if len(timeline.customer_ids)],
            book=self.book(customer_ids),
            last_actions=self.shop.scores.last_actions(customer_ids),
            data_through=self.shop.changes.position(before)[1],
        )

    def owners(self, customer_ids: Sequence[str], before: datetime) -> Mapping[str, str]:  # noqa: ARG002
        """Return whose ids they are; see :class:`KnownOf`."""
        return self.shop.events.owners(customer_ids)

    def book(self, customer_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Return the rows of the customer book."""
        rows = self.shop.events.customers(customer_ids).to_pylist()
        return {row["customer_id"]: row for row in rows}


class TimelineCache:
    """Keeps the customers asked about last, for as long as nothing about them changes.

    Parameters
    ----------
    shop : Shop
        An opened project.
    most_bytes : int
        What timelines may weigh together, by estimate; those asked about longest ago go first.
    monotonic : callable
        Seconds that only ever rise.
    """

    def __init__(
        self,
        shop: Shop,
        *,
        most_bytes: int = MOST_BYTES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shop = shop
        self._fresh = FreshKnown(shop)
        self._following = threading.Lock()
        self._position: LogPosition | None = None
        self._monotonic = monotonic
        self._last_answer: tuple[float, datetime | None] = (-math.inf, None)
        self._timelines = Shelf[Timeline | None](most_bytes)
        self._book = Shelf[Mapping[str, Any] | None](most_bytes // 8)
        self._contacts = Shelf[Mapping[str, datetime] | None](most_bytes // 8)
        self._owners = Shelf[str | None](most_bytes // 8)

    def __call__(
        self, customer_ids: Sequence[str], before: datetime, *, events: bool = True
    ) -> Known:
        """Return what is known of customers; see :class:`KnownOf`.

        Raises
        ------
        StoreUnavailable
            If the store does not answer, and not all of this is kept, or it has not answered for
            too long.
        """
        if len(customer_ids) > FEW_CUSTOMERS:
            return self._fresh(customer_ids, before, events=events)
        newest, degraded = self._follow(before)
        timelines = self._timelines.get(customer_ids, self._read_timelines) if events else {}
        book = self._book.get(customer_ids, self._read_book)
        contacts = self._contacts.get(customer_ids, self._read_contacts)
        return Known(
            timelines=[timeline for timeline in timelines.values() if timeline is not None],
            book={name: row for name, row in book.items() if row is not None},
            last_actions={name: taken for name, taken in contacts.items() if taken},
            data_through=newest,
            degraded=degraded,
        )

    def owners(self, customer_ids: Sequence[str], before: datetime) -> Mapping[str, str]:
        """Return whose ids they are; see :class:`KnownOf`."""
        if len(customer_ids) > FEW_CUSTOMERS:
            return self._fresh.owners(customer_ids, before)
        self._follow(before)
        found = self._owners.get(customer_ids, self._read_owners)
        return {name: owner for name, owner in found.items() if owner is not None}

    def _follow(self, before: datetime) -> tuple[datetime | None, bool]:
        """Drop what has changed since the last look; return the newest event.

        Where the store does not answer, what it said last may stand in for a while.
        """
        try:
            newest = self._catch_up(before)
        except StoreUnavailable:
            answered, newest = self._last_answer
            if self._monotonic() - answered > DEGRADED_SECONDS:
                raise
            return newest, True
        self._last_answer = self._monotonic(), newest
        return newest, False

    def _catch_up(self, before: datetime) -> datetime | None:
        position, newest = self._shop.changes.position(before)
        if position != self._position:
            with self._following:
                # Asked again, since others may have moved on while this one waited.
                position, newest = self._shop.changes.position(before)
                if self._position is not None:
                    self._drop(self._position, position)
                self._position = position
        return newest

    def _drop(self, last: LogPosition, now: LogPosition) -> None:
        touched = self._shop.changes.touched(last, now)
        if touched is None or now.events < last.events or now.outcomes < last.outcomes:
            for shelf in (self._timelines, self._book, self._contacts, self._owners):
                shelf.clear()
            return
        self._timelines.drop(touched)
        if now.merges != last.merges:
            self._owners.drop(touched)
            self._contacts.drop(touched)
        if now.book != last.book:
            self._book.clear()
        if now.outcomes != last.outcomes:
            self._contacts.clear()

    def _read_timelines(self, names: Sequence[str]) -> dict[str, tuple[Timeline | None, int]]:
        return {name: self._read_timeline(name) for name in names}

    def _read_timeline(self, name: str) -> tuple[Timeline | None, int]:
        timeline = self._shop.events.timeline_of(name)
        if timeline is None:
            return None, _SMALL
        return timeline, _BYTES_OF_TIMELINE + _BYTES_OF_EVENT * len(timeline)

    def _read_book(self, names: Sequence[str]) -> dict[str, tuple[Mapping[str, Any] | None, int]]:
        return {name: (self._shop.events.book_row(name), _SMALL) for name in names}

    def _read_owners(self, names: Sequence[str]) -> dict[str, tuple[str | None, int]]:
        merged = self._position is None or self._position.merges
        found = self._shop.events.owners(names) if merged else {}
        return {name: (found.get(name), _SMALL) for name in names}

    def _read_contacts(
        self, names: Sequence[str]
    ) -> dict[str, tuple[Mapping[str, datetime] | None, int]]:
        reported = self._position is None or self._position.outcomes
        found = self._shop.scores.last_actions(names) if reported else {}
        return {name: (found.get(name), _SMALL) for name in names}
