"""The event log as sorted integer arrays: what the kernel and the labels read.

A ``Timeline`` sorts all events once, by (event, customer, occurred_at, event_id), so that one kind
of event is one slice (a ``Track``) and one customer's part of it is one run. Time is int64
microseconds, money int64 in 1/10,000, words are int32 codes; sums are exact, whatever the order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from churnguard.errors import CustomerNotFound, SchemaError
from churnguard.events.schema import EVENT_SCHEMA, MONEY_SCALE

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]

MISSING = np.iinfo(np.int64).min
"""Stands for "no number" in ``value``, ``quantity`` and ``discount``."""

MONEY_COLUMNS = ("value", "discount")
WORD_COLUMNS = ("order_id", "cart_id", "session_id", "product_id", "category", "kind")
"""Columns of words; inside a track they are int32 codes, -1 where missing."""

_LARGEST_MONEY = 1e11
_NOWHERE = slice(0, 0)


@dataclass(frozen=True)
class Track:
    """All events of one kind, sorted by (customer, occurred_at, event_id).

    Attributes
    ----------
    event : str
        The kind of event.
    offsets : ndarray of int64, shape (customers + 1,)
        Customer ``c`` has the events ``offsets[c]`` to ``offsets[c + 1]``.
    customer : ndarray of int32
        Whose event it is.
    occurred, received : ndarray of int64
        The two clocks, microseconds UTC.
    read : callable
        Returns another column by name: ``value`` and ``discount`` (int64, 1/10,000), ``quantity``
        (int64), ``MISSING`` where null; ``product_id`` and the like as int32 codes, -1 where null.
    code : callable
        Returns the code of a word in a column, -2 where no event has it.
    """

    event: str
    offsets: Ints
    customer: Codes
    occurred: Ints
    received: Ints
    read: Callable[[str], NDArray[Any]] = field(repr=False)
    code: Callable[[str, str], int] = field(repr=False)

    def __len__(self) -> int:
        return len(self.occurred)

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
        if not len(self):
            return low
        while (open_rows := low < high).any():
            middle = (low + high) >> 1
            earlier = self.occurred[np.minimum(middle, len(self) - 1)] < instants
            low = np.where(open_rows & earlier, middle + 1, low)
            high = np.where(open_rows & ~earlier, middle, high)
        return low


class Timeline:
    """Every event of some customers, sorted for the kernel; make one with :meth:`from_arrow`.

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
        self,
        customer_ids: NDArray[np.object_],
        slices: Mapping[str, slice],
        *,
        customer: Codes,
        read: Callable[[str], NDArray[Any]],
        code: Callable[[str, str], int],
    ) -> None:
        self.customer_ids = customer_ids
        self.events = tuple(slices)
        self.customer = customer
        self._slices = slices
        self._read = read
        self._code = code
        self._columns: dict[str, NDArray[Any]] = {}
        self._tracks: dict[str, Track] = {}

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
            If a needed column is missing, or money is beyond 100 billion.
        """
        _refuse_missing_columns(events)
        ids, customer = _ranked(events["customer_id"])
        names, event = _ranked(events["event"])
        occurred = _instants(events["occurred_at"])
        group = event.astype(np.int64) * max(len(ids), 1) + customer
        order = _order(group, occurred, events["event_id"])
        edges = np.searchsorted(event[order], np.arange(len(names) + 1))
        slices = {
            name: slice(int(edges[i]), int(edges[i + 1])) for i, name in enumerate(names.tolist())
        }
        source = _Source(events, order)
        return cls(ids, slices, customer=customer[order], read=source.read, code=source.code)

    def __len__(self) -> int:
        return len(self.customer)

    def track(self, event: str) -> Track:
        """Return all events of one kind; a track without events where there are none.

        Examples
        --------
        >>> from churnguard.events.schema import empty_events
        >>> len(Timeline.from_arrow(empty_events()).track("signed_in"))
        0
        """
        if event not in self._tracks:
            where = self._slices.get(event, _NOWHERE)
            self._tracks[event] = Track(
                event,
                self._offsets(event),
                self.customer[where],
                self.column("occurred_at")[where],
                self.column("received_at")[where],
                read=lambda name: self.column(name)[where],
                code=self._code,
            )
        return self._tracks[event]

    def _offsets(self, event: str) -> Ints:
        """Return where each customer's events of a kind begin and end in its track."""
        customers = len(self.customer_ids)
        if event not in self._slices:
            return np.zeros(customers + 1, dtype=np.int64)
        begin = self.events.index(event) * customers
        edges = self._edges[begin : begin + customers + 1]
        offsets: Ints = edges - edges[0]
        return offsets

    @cached_property
    def _edges(self) -> Ints:
        """Where each run of one customer and kind of event begins, over all events."""
        customers = len(self.customer_ids)
        sizes = [where.stop - where.start for where in self._slices.values()]
        group = np.repeat(np.arange(len(sizes)) * customers, sizes) + self.customer
        edges = np.zeros(len(sizes) * customers + 1, dtype=np.int64)
        np.cumsum(np.bincount(group, minlength=len(edges) - 1), out=edges[1:])
        return edges

    def column(self, name: str) -> NDArray[Any]:
        """Return a column of all events, in the timeline's order; decoded when first asked for."""
        if name not in self._columns:
            self._columns[name] = self._read(name)
        return self._columns[name]

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
        positions, rows, slices, start = [], [], {}, 0
        for event in self.events:
            if events is not None and event not in events:
                continue
            kept, row = self._known(event, customers, cutoffs)
            positions.append(kept)
            rows.append(row)
            slices[event] = slice(start, start + len(kept))
            start += len(kept)
        where = np.concatenate(positions) if positions else np.zeros(0, np.int64)
        customer = np.concatenate(rows) if rows else np.zeros(0, np.int32)
        return Timeline(
            self.customer_ids[customers],
            slices,
            customer=customer.astype(np.int32),
            read=lambda name: self.column(name)[where],
            code=self._code,
        )

    def _known(self, event: str, customers: Codes, cutoffs: Ints) -> tuple[Ints, Ints]:
        """Return positions (in the timeline) and rows of the events of a kind that were known."""
        track, offset = self.track(event), self._slices[event].start
        first, last = track.offsets[customers], track.offsets[customers + 1]
        rows = np.repeat(np.arange(len(customers)), last - first)
        ahead = np.concatenate([[0], np.cumsum(last - first)[:-1]]) if len(customers) else first
        positions = np.arange(len(rows)) + np.repeat(first - ahead, last - first)
        at = cutoffs[rows]
        known = (track.occurred[positions] < at) & (track.received[positions] < at)
        return positions[known] + offset, rows[known]

    @cached_property
    def counts(self) -> dict[str, int]:
        """Return how many events there are, by kind."""
        return {event: where.stop - where.start for event, where in self._slices.items()}

    @property
    def last_occurred(self) -> int | None:
        """Return the instant of the newest event, in microseconds UTC; None without events."""
        return int(self.column("occurred_at").max()) if len(self) else None


class _Source:
    """Decodes columns of the table that was given, in the sorted order, when they are asked for."""

    def __init__(self, events: pa.Table, order: Ints) -> None:
        self._columns = dict(zip(events.column_names, events.columns, strict=True))
        self._order = order
        self._words: dict[str, pa.Array] = {}

    def read(self, name: str) -> NDArray[Any]:
        column = self._columns.get(name)
        if column is None:
            fill, kind = (-1, np.int32) if name in WORD_COLUMNS else (MISSING, np.int64)
            return np.full(len(self._order), fill, dtype=kind)
        if name in MONEY_COLUMNS:
            return _money(column, name)[self._order]
        if name in WORD_COLUMNS:
            self._words[name], codes = _encoded(column)
            return codes[self._order]
        numbers = _instants(column) if pa.types.is_timestamp(column.type) else _integers(column)
        return numbers[self._order]

    def code(self, name: str, word: str) -> int:
        if name not in self._columns:
            return -2
        if name not in self._words:
            self._words[name] = _encoded(self._columns[name])[0]
        found = pc.index(self._words[name], pa.scalar(word, self._words[name].type)).as_py()
        return found if found >= 0 else -2


def _refuse_missing_columns(events: pa.Table) -> None:
    needed = [name for name in EVENT_SCHEMA.names[:5] if name not in events.column_names]
    if needed:
        raise SchemaError(
            f"The events have no column '{needed[0]}'.",
            hint="Canonical events have the columns listed in docs/events.md.",
        )


def _encoded(column: pa.ChunkedArray) -> tuple[pa.Array, Codes]:
    """Return the different words of a column and each row's place among them, -1 where null."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    joined = column.unify_dictionaries().combine_chunks() if column.num_chunks != 1 else column
    whole = joined.chunk(0) if isinstance(joined, pa.ChunkedArray) else joined
    codes = whole.indices.fill_null(-1) if whole.null_count else whole.indices
    return whole.dictionary, codes.to_numpy(zero_copy_only=False).astype(np.int32)


def _ranked(column: pa.ChunkedArray) -> tuple[NDArray[np.object_], Codes]:
    """Return the different words that occur, sorted, and each row's place among them."""
    words, codes = _encoded(column)
    order = pc.sort_indices(words).to_numpy()
    occurs = np.zeros(len(words), dtype=bool)
    occurs[codes] = True
    order = order[occurs[order]]
    rank = np.zeros(len(words), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return words.to_numpy(zero_copy_only=False)[order], rank[codes]


def _instants(column: pa.ChunkedArray) -> Ints:
    """Return instants as int64 microseconds."""
    if column.type.unit != "us":
        column = column.cast(pa.timestamp("us", tz=column.type.tz))
    instants: Ints = column.to_numpy().view(np.int64)
    return instants


def _integers(column: pa.ChunkedArray) -> Ints:
    """Return whole numbers as int64, ``MISSING`` where null."""
    whole = column.cast(pa.int64()).fill_null(int(MISSING))
    numbers: Ints = whole.to_numpy()
    return numbers


def _money(column: pa.ChunkedArray, name: str) -> Ints:
    """Return money as int64 in 1/10,000, halves to even, ``MISSING`` where null."""
    amounts = column.cast(pa.float64()).to_numpy()
    missing = np.isnan(amounts)
    amounts = np.where(missing, 0.0, amounts)
    if len(amounts) and np.abs(amounts).max() > _LARGEST_MONEY:
        raise SchemaError(
            f"An event's '{name}' is {np.abs(amounts).max():g}, more than can be money.",
            hint="Put such events into quarantine: amounts go up to 100 billion.",
        )
    units: Ints = np.rint(amounts * MONEY_SCALE).astype(np.int64)
    units[missing] = MISSING
    return units


def _order(group: Ints, occurred: Ints, event_id: pa.ChunkedArray) -> Ints:
    """Return the order by (group, occurred, event_id).

    One integer key holds the group and as much of the instant as fits; the rows that are equal by
    that key, mostly lines of one order, are then put in order by all that there is.
    """
    if not len(group):
        return np.zeros(0, dtype=np.int64)
    since = occurred - occurred.min()
    time_bits = int(since.max()).bit_length()
    dropped = max(0, int(group.max()).bit_length() + time_bits - 63)
    key = (group << (time_bits - dropped)) | (since >> dropped)
    order = np.argsort(key, kind="stable")
    key = key[order]
    equal = key[1:] == key[:-1]
    if not equal.any():
        return order
    tied = np.flatnonzero(np.concatenate([equal, [False]]) | np.concatenate([[False], equal]))
    rows = order[tied]
    run = pa.table({"key": key[tied], "at": since[rows], "id": event_id.take(pa.array(rows))})
    by = [("key", "ascending"), ("at", "ascending"), ("id", "ascending")]
    order[tied] = rows[pc.sort_indices(run, sort_keys=by).to_numpy()]
    return order
