"""From events to feature rows: the one function behind training, nightly scoring and a request.

Rows are computed customer by customer, in parts that fit the processor's cache. A row that had late
events at its cutoff is computed again by the same kernel, on what was known of its customer then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churnguard.compiled import side_by_side
from churnguard.errors import SchemaError
from churnguard.events.timeline import Timeline
from churnguard.features import kernel
from churnguard.features.catalogue import Catalogue
from churnguard.features.population import Population
from churnguard.features.questions import MOST_ROWS
from churnguard.features.rows import Rows
from churnguard.features.tracks import Tracks

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]

BLOCK_ROWS = 65_536
_LATE_ROWS = 4_096
_PART_ROWS, _PART_EVENTS = 32_000, 524_288


@dataclass(frozen=True)
class FeatureRows:
    """Signals of customers at cutoffs.

    Attributes
    ----------
    values : ndarray of float64, shape (n, p)
        One row a customer and cutoff, NaN is missing; columns lie together in memory.
    names : tuple of str
        The columns, in the catalogue's order.
    customer_ids : ndarray of str, shape (n,)
        Whose row it is.
    cutoffs : ndarray of int64, shape (n,)
        The instant the row looks back from, microseconds UTC.
    population : Population or None
        What was fitted over all customers; each row used one of its fits.
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    customer_ids: NDArray[np.object_]
    cutoffs: Ints
    population: Population | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, places: Ints) -> FeatureRows:
        """Return some of the rows, by place."""
        return FeatureRows(
            self.values.T[:, places].T,
            self.names,
            self.customer_ids[places],
            self.cutoffs[places],
            self.population,
        )

    def fits(self) -> list[str | None]:
        """Return the name of the fit of the population that each row used, None where none."""
        if self.population is None:
            return [None] * len(self)
        return self.population.names_at(self.cutoffs)

    def to_arrow(self) -> pa.Table:
        """Return a table of ``customer_id``, ``cutoff`` and one column a signal (NaN as null)."""
        makers: list[Callable[[], pa.Array]] = [
            lambda: pa.array(self.customer_ids, pa.string()),
            lambda: pa.array(self.cutoffs).cast(pa.timestamp("us", tz="UTC")),
            *(partial(_nullable, column) for column in self.values.T),
        ]
        columns = side_by_side(lambda make: make(), makers)
        return pa.table(columns, names=["customer_id", "cutoff", *self.names])


def build_features(
    timeline: Timeline,
    catalogue: Catalogue,
    customers: Codes,
    cutoffs: Ints,
    *,
    population: Population | None = None,
    threads: int | None = 1,
) -> FeatureRows:
    """Compute the catalogue's signals of customers at cutoffs.

    A row sees only events with ``occurred_at`` and ``received_at`` before its cutoff. Its bits do
    not depend on the other rows, on their order or number, on other customers, or on later events.

    Parameters
    ----------
    timeline : Timeline
        The events.
    catalogue : Catalogue
        The signals.
    customers : ndarray of int32, shape (n,)
        Customer codes: places in ``timeline.customer_ids``.
    cutoffs : ndarray of int64, shape (n,)
        Microseconds UTC.
    population : Population, optional
        What was fitted over all customers; without it, signals built on it are missing.
    threads : int, optional
        How many parts of the rows are computed side by side; None for one a processor. It does
        not change a bit of the result.

    Returns
    -------
    FeatureRows

    Raises
    ------
    SchemaError
        If the two arrays differ in length, or a code is not of the timeline.

    Examples
    --------
    >>> from churnguard.events.schema import empty_events
    >>> nobody = np.zeros(0, np.int32), np.zeros(0, np.int64)
    >>> nothing = Timeline.from_arrow(empty_events())
    >>> rows = build_features(nothing, Catalogue.of(["orders"]), *nobody)
    >>> rows.values.shape == (0, len(rows.names))
    True
    """
    customers, cutoffs = _checked(timeline, customers, cutoffs)
    order = kernel.order_rows(customers, cutoffs, len(timeline.customer_ids))
    values = np.empty((len(catalogue), len(customers)), dtype=np.float64)
    work = _Work(timeline, catalogue, population, customers, cutoffs, order, values)
    parts = _parts(timeline, customers, order)
    side_by_side(work.compute, parts, threads=threads)
    ids = timeline.customer_ids[customers]
    return FeatureRows(values.T, catalogue.names, ids, cutoffs, population)


@dataclass(frozen=True)
class _Work:
    """What every part of the rows is computed from, and where the numbers go."""

    timeline: Timeline
    catalogue: Catalogue
    population: Population | None
    customers: Codes
    cutoffs: Ints
    order: Ints
    values: NDArray[np.float64]

    def compute(self, part: slice) -> None:
        """Compute a part of the rows, all of them of neighbouring customers."""
        own = self.order[part]
        customers, cutoffs = self.customers[own], self.cutoffs[own]
        first, last = int(customers[0]), int(customers[-1]) + 1
        tracks = Tracks.of(self.timeline.part(first, last))
        customers -= np.int32(first)
        for start in range(0, len(own), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            self._fill(tracks, customers[block], cutoffs[block], own[block])
            late = np.flatnonzero(tracks.late(customers[block], cutoffs[block])) + start
            for some in range(0, len(late), _LATE_ROWS):
                rows = late[some : some + _LATE_ROWS]
                known = Tracks(tracks.timeline.known_at(customers[rows], cutoffs[rows]))
                self._fill(known, np.arange(len(rows), dtype=np.int32), cutoffs[rows], own[rows])

    def _fill(self, tracks: Tracks, customers: Codes, cutoffs: Ints, places: Ints) -> None:
        if len(places) <= MOST_ROWS and len(tracks.timeline.customer_ids) == 1:
            questions, signals = self.catalogue.questions, self.catalogue.signals
            numbers, answers = questions.answers(tracks, cutoffs)
            rows = Rows(tracks, customers, cutoffs, population=self.population, answers=answers)
            made = [signals[place].column(rows) for place in questions.made.tolist()]
            self.values[questions.told[:, :1], places] = numbers[questions.told[:, 1]]
            self.values[questions.made[:, None], places] = np.reshape(made, (-1, len(places)))
            return
        rows = Rows(tracks, customers, cutoffs, population=self.population)
        for column, found in zip(self.values, self.catalogue.signals, strict=True):
            kernel.put(column, places, found.column(rows))


def _parts(timeline: Timeline, customers: Codes, order: Ints) -> list[slice]:
    """Cut rows into parts between customers, so that a part and its events fit the cache."""
    if len(order) <= _PART_ROWS:
        return [slice(0, len(order))] if len(order) else []
    events = np.zeros(len(timeline.customer_ids) + 1, dtype=np.int64)
    for event in timeline.events:
        events += timeline.track(event).offsets
    cuts = kernel.cuts(customers, order, events, _PART_ROWS, _PART_EVENTS)
    return [slice(first, last) for first, last in pairwise(cuts.tolist())]


def _checked(timeline: Timeline, customers: Codes, cutoffs: Ints) -> tuple[Codes, Ints]:
    customers = np.ascontiguousarray(customers, dtype=np.int32)
    cutoffs = np.ascontiguousarray(cutoffs, dtype=np.int64)
    if customers.ndim != 1 or customers.shape != cutoffs.shape:
        raise SchemaError("Rows need one cutoff a customer: two arrays of one length.")
    known = len(timeline.customer_ids)
    if len(customers) and not (customers.min() >= 0 and customers.max() < known):
        raise SchemaError(f"A customer code is not between 0 and {known - 1}.")
    return customers, cutoffs


def _nullable(column: NDArray[np.float64]) -> pa.Array:
    """Return a column with its NaN as nulls; the numbers are not copied."""
    column = np.ascontiguousarray(column)
    valid, missing = kernel.validity(column)
    buffers = [pa.py_buffer(valid) if missing else None, pa.py_buffer(column)]
    return pa.Array.from_buffers(pa.float64(), len(column), buffers, null_count=missing)
