"""The event log as sorted integer arrays: what the kernel and the labels read.

A ``Timeline`` sorts all events once, by (event, customer, occurred_at, event_id), so that one kind
of event is one ``Track`` and one customer's part of it is one run. Time is int64 microseconds,
money int64 in 1/10,000, words are int32 codes; sums are exact, whatever the order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churnguard.compiled import compiled
from churnguard.errors import CustomerNotFound, SchemaError
from churnguard.events.columns import (
    MISSING,
    MONEY_COLUMNS,
    WORD_COLUMNS,
    Codes,
    Columns,
    Ints,
    ListedColumns,
    instants,
)
from churnguard.events.encoding import ranked
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.events.sorting import first_at, sort_events

_Made = TypeVar("_Made")
_NEEDED = EVENT_SCHEMA.names[:5]

__all__ = ["MISSING", "MONEY_COLUMNS", "WORD_COLUMNS", "Timeline", "Track"]


@dataclass(frozen=True)
class Track:
    """All events of one kind, sorted by (customer, occurred_at, event_id).

    Attributes
    ----------
    event : str
        The kind of event.
    offsets : ndarray of int64, shape (customers + 1,)
        Customer ``c`` has the events ``offsets[c]`` to ``offsets[c + 1]``.
    occurred : ndarray of int64
        When each event occurred, microseconds UTC.
    rows : ndarray of int64
        Its row in the table that was given.
    columns : Columns
        That table.
    """

    event: str
    offsets: Ints
    occurred: Ints
    rows: Ints = field(repr=False)
    columns: Columns = field(repr=False)

    def __len__(self) -> int:
        return len(self.occurred)

    @cached_property
    def customer(self) -> Codes:
        """Return whose event each is."""
        return owners(self.offsets)

    @cached_property
    def received(self) -> Ints:
        """Return when each event was received, microseconds UTC."""
        return self.occurred if self.columns.prompt else self.read("received_at")

    def read(self, name: str) -> NDArray[Any]:
        """Return another column by name.

        Returns
        -------
        ndarray of int64 or int32
            ``value`` and ``discount`` (int64, 1/10,000), ``quantity`` (int64), ``MISSING`` where
            null; ``product_id`` and the like as int32 codes, -1 where null.
        """
        return self.columns.read(name, self.rows)

    def code(self, name: str, word: str) -> int:
        """Return the code of a word in a column, -2 where no event has it."""
        return self.columns.code(name, word)

    def first_at(self, customers: Codes, instants: Ints) -> Ints:
        """Return, for each row, the position of its customer's first event at or after an instant.

        Parameters
        ----------
        customers : ndarray of int32, shape (n,)
            Customer codes.
        instants : ndarray of int64, shape (n,)
            Microseconds UTC.

        Returns
        -------
        ndarray of int64, shape (n,)
            Positions in the track; ``offsets[customer + 1]`` where there is no such event.
        """
        low, high = self.offsets[customers], self.offsets[customers + 1]
        found: Ints = first_at(self.occurred, low, high, instants)
        return found

    def part(self, first: int, last: int) -> Track:
        """Return the events of some neighbouring customers, without a copy."""
        offsets = self.offsets[first : last + 1]
        where = slice(int(offsets[0]), int(offsets[-1]))
        return Track(
            self.event, offsets - offsets[0], self.occurred[where], self.rows[where], self.columns
        )

    def known_at(self, customers: Codes, cutoffs: Ints) -> Track:
        """Return, as one customer a row, what was known of customers at their cutoffs."""
        offsets, places = _known(self.offsets, self.occurred, self.received, customers, cutoffs)
        return Track(self.event, offsets, self.occurred[places], self.rows[places], self.columns)


class Timeline:
    """Every event of some customers, sorted for the kernel.

    Make one with :meth:`from_arrow` or, of one customer, with :meth:`of_customer`.

    Attributes
    ----------
    customer_ids : ndarray of str
        Sorted by their UTF-8 bytes; a customer's place is its code.
    events : tuple of str
        The kinds of event that occur.

    Examples
    --------
    >>> from churnguard.events.schema import empty_events
    >>> timeline = Timeline.from_arrow(empty_events())
    >>> len(timeline.customer_ids), timeline.events
    (0, ())
    """

    def __init__(
        self, customer_ids: NDArray[np.object_], tracks: Mapping[str, Track], columns: Columns
    ) -> None:
        self.customer_ids = customer_ids
        self.events = tuple(tracks)
        self._tracks = tracks
        self._columns = columns
        self._made: dict[str, Any] = {}

    @classmethod
    def from_arrow(cls, events: pa.Table) -> Timeline:
        """Sort a table of canonical events.

        Parameters
        ----------
        events : pyarrow.Table
            Columns of ``EVENT_SCHEMA``, rows in any order; those beyond ``event_id``,
            ``customer_id``, ``event`` and the two clocks may be left out.

        Returns
        -------
        Timeline
            Money is rounded to 1/10,000, halves to even.

        Raises
        ------
        SchemaError
            If a needed column is missing, or, when it is read, money is beyond 100 billion.
        """
        columns = Columns(events)
        _refuse_missing_columns(columns.names)
        ids, customer = ranked(events["customer_id"])
        names, kind = ranked(events["event"])
        edges, rows, occurred = sort_events(
            kind, customer, instants(events["occurred_at"]), events["event_id"]
        )
        tracks = {}
        for number, name in enumerate(names.to_pylist()):
            offsets = edges[number * len(ids) : (number + 1) * len(ids) + 1]
            where = slice(int(offsets[0]), int(offsets[-1]))
            tracks[name] = Track(name, offsets - offsets[0], occurred[where], rows[where], columns)
        return cls(ids.to_numpy(zero_copy_only=False), tracks, columns)

    @classmethod
    def of_customer(cls, customer_id: str, events: Mapping[str, Sequence[Any]]) -> Timeline:
        """Return the timeline of one customer from columns of Python values.

        Parameters
        ----------
        customer_id : str
            Whose events they are.
        events : mapping of str to sequence
            Columns of ``EVENT_SCHEMA``, at least ``event`` and the two clocks, in the order of
            (``occurred_at``, ``event_id``); instants in microseconds UTC, None where null.

        Examples
        --------
        >>> columns = {"event": ["b", "a", "b"], "occurred_at": [1, 2, 3]}
        >>> timeline = Timeline.of_customer("C1", columns | {"received_at": [1, 2, 3]})
        >>> timeline.events, timeline.track("b").occurred.tolist()
        (('a', 'b'), [1, 3])
        """
        columns, kinds = ListedColumns(events), events["event"]
        names = sorted(set(kinds))
        places = {name: place for place, name in enumerate(names)}
        kind = np.array([places[name] for name in kinds], dtype=np.int64)
        rows = np.argsort(kind, kind="stable")
        occurred = np.array(events["occurred_at"], dtype=np.int64)[rows]
        ends = np.cumsum(np.bincount(kind)).tolist()
        tracks = {
            name: Track(
                name, np.array([0, end - begin]), occurred[begin:end], rows[begin:end], columns
            )
            for name, (begin, end) in zip(names, pairwise([0, *ends]), strict=True)
        }
        return cls(np.array([customer_id], dtype=object), tracks, columns)

    def __len__(self) -> int:
        return sum(self.counts.values())

    def track(self, event: str) -> Track:
        """Return all events of one kind; a track without events where there are none.

        Examples
        --------
        >>> from churnguard.events.schema import empty_events
        >>> len(Timeline.from_arrow(empty_events()).track("signed_in"))
        0
        """
        if event in self._tracks:
            return self._tracks[event]
        nothing = np.zeros(0, dtype=np.int64)
        offsets = np.zeros(len(self.customer_ids) + 1, dtype=np.int64)
        return Track(event, offsets, nothing, nothing, self._columns)

    def once(self, name: str, make: Callable[[Timeline], _Made]) -> _Made:
        """Return what is made from this timeline when first asked for, and kept with it."""
        if name not in self._made:
            self._made[name] = make(self)
        made: _Made = self._made[name]
        return made

    def view(self) -> Timeline:
        """Return the same events without what is kept with them, to be kept with them itself."""
        return Timeline(self.customer_ids, self._tracks, self._columns)

    def read(self, name: str, rows: Ints) -> NDArray[Any]:
        """Return a column of some rows of the table that was given; see :meth:`Track.read`."""
        return self._columns.read(name, rows)

    def code(self, name: str, word: str) -> int:
        """Return the code of a word in a column, -2 where no event has it."""
        return self._columns.code(name, word)

    def part(self, first: int, last: int) -> Timeline:
        """Return the timeline of customers ``first`` to ``last`` (not included), without a copy."""
        if (first, last) == (0, len(self.customer_ids)):
            return self
        tracks = {name: track.part(first, last) for name, track in self._tracks.items()}
        return Timeline(self.customer_ids[first:last], tracks, self._columns)

    def codes(self, customer_ids: Sequence[str]) -> Codes:
        """Return the codes of some customers.

        Raises
        ------
        CustomerNotFound
            If a customer has no event.
        """
        known = {customer: code for code, customer in enumerate(self.customer_ids)}
        try:
            return np.array([known[customer] for customer in customer_ids], dtype=np.int32)
        except KeyError as missing:
            raise CustomerNotFound(f"There is no event of customer {missing}.") from None

    def known_at(
        self, customers: Codes, cutoffs: Ints, *, events: Sequence[str] | None = None
    ) -> Timeline:
        """Return what was known of each customer at its own cutoff, by both clocks.

        Parameters
        ----------
        customers : ndarray of int32, shape (n,)
            Customer codes; the same one may come several times.
        cutoffs : ndarray of int64, shape (n,)
            Microseconds UTC.
        events : sequence of str, optional
            Kinds of event to keep; all by default.

        Returns
        -------
        Timeline
            One customer a row, in the order given: those events of the row's customer with
            ``occurred_at`` and ``received_at`` before the row's cutoff. The cost is proportional
            to the events of these customers.
        """
        kept = self.events if events is None else [e for e in self.events if e in events]
        tracks = {event: self._tracks[event].known_at(customers, cutoffs) for event in kept}
        return Timeline(self.customer_ids[customers], tracks, self._columns)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Return how many events there are, by kind."""
        return {event: len(track) for event, track in self._tracks.items()}

    @property
    def prompt(self) -> bool:
        """Tell if every event was received the moment it occurred."""
        return self._columns.prompt

    @property
    def last_occurred(self) -> int | None:
        """Return the instant of the newest event, in microseconds UTC; None without events."""
        newest = [int(track.occurred.max()) for track in self._tracks.values() if len(track)]
        return max(newest, default=None)


@compiled
def owners(offsets: Ints) -> Codes:
    """Return the customer of each event of a track."""
    customers = np.empty(offsets[-1], dtype=np.int32)
    for customer in range(len(offsets) - 1):
        customers[offsets[customer] : offsets[customer + 1]] = customer
    return customers


@compiled
def _known(
    offsets: Ints, occurred: Ints, received: Ints, customers: Codes, cutoffs: Ints
) -> tuple[Ints, Ints]:
    """Return the places of the events each row knew, and where each row's begin among them."""
    starts = np.zeros(len(customers) + 1, dtype=np.int64)
    for row in range(len(customers)):
        starts[row + 1] = starts[row] + offsets[customers[row] + 1] - offsets[customers[row]]
    places = np.empty(starts[-1], dtype=np.int64)
    count = 0
    for row in range(len(customers)):
        starts[row] = count
        for place in range(offsets[customers[row]], offsets[customers[row] + 1]):
            if occurred[place] >= cutoffs[row]:
                break
            if received[place] < cutoffs[row]:
                places[count] = place
                count += 1
    starts[len(customers)] = count
    return starts, places[:count]


def _refuse_missing_columns(there: Collection[str]) -> None:
    needed = [name for name in _NEEDED if name not in there]
    if needed:
        raise SchemaError(
            f"The events have no column '{needed[0]}'.",
            hint="Canonical events have the columns listed in docs/events.md.",
        )
