"""From events to feature rows: the one function behind training, nightly scoring and a request.

Rows are computed in blocks that fit the processor's cache. A row that had late events at its cutoff
is computed again by the same kernel, on what was known of its customer then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churnguard.errors import SchemaError
from churnguard.events.timeline import Timeline
from churnguard.features.catalogue import Catalogue
from churnguard.features.population import Population
from churnguard.features.rows import Rows
from churnguard.features.tracks import Tracks

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]

BLOCK_ROWS = 16_384
_LATE_ROWS = 4_096


@dataclass(frozen=True)
class FeatureRows:
    """Signals of customers at cutoffs.

    Attributes
    ----------
    values : ndarray of float64, shape (n, p), C-contiguous
        One row a customer and cutoff, NaN is missing.
    names : tuple of str
        The columns, in the catalogue's order.
    customer_ids : ndarray of str, shape (n,)
        Whose row it is.
    cutoffs : ndarray of int64, shape (n,)
        The instant the row looks back from, microseconds UTC.
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    customer_ids: NDArray[np.object_]
    cutoffs: Ints

    def __len__(self) -> int:
        return len(self.values)

    def take(self, places: Ints) -> FeatureRows:
        """Return some of the rows, by place."""
        return FeatureRows(
            np.ascontiguousarray(self.values[places]),
            self.names,
            self.customer_ids[places],
            self.cutoffs[places],
        )

    def to_arrow(self) -> pa.Table:
        """Return a table of ``customer_id``, ``cutoff`` and one column a signal (NaN as null)."""
        columns = [
            pa.array(self.customer_ids, pa.string()),
            pa.array(self.cutoffs).cast(pa.timestamp("us", tz="UTC")),
            *(pa.array(column, from_pandas=True) for column in self.values.T),
        ]
        return pa.table(columns, names=["customer_id", "cutoff", *self.names])


def build_features(
    timeline: Timeline,
    catalogue: Catalogue,
    customers: Codes,
    cutoffs: Ints,
    *,
    population: Population | None = None,
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
    tracks = Tracks(timeline)
    values = np.empty((len(customers), len(catalogue)), dtype=np.float64)
    for start in range(0, len(customers), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        rows = Rows(tracks, customers[block], cutoffs[block], population=population)
        _fill(values[block], catalogue, rows)
        late = np.flatnonzero(tracks.late(customers[block], cutoffs[block]))
        for some in range(0, len(late), _LATE_ROWS):
            places = late[some : some + _LATE_ROWS] + start
            _recompute(values, places, timeline, catalogue, rows=(customers, cutoffs, population))
    return FeatureRows(values, catalogue.names, timeline.customer_ids[customers], cutoffs)


def _fill(values: NDArray[np.float64], catalogue: Catalogue, rows: Rows) -> None:
    for place, found in enumerate(catalogue.signals):
        values[:, place] = found.column(rows)


def _recompute(
    values: NDArray[np.float64],
    places: Ints,
    timeline: Timeline,
    catalogue: Catalogue,
    *,
    rows: tuple[Codes, Ints, Population | None],
) -> None:
    """Replace rows that had late events by what was known of their customers at their cutoffs."""
    customers, cutoffs, population = rows
    known = Tracks(timeline.known_at(customers[places], cutoffs[places]))
    own = np.arange(len(places), dtype=np.int32)
    again = np.empty((len(places), len(catalogue)), dtype=np.float64)
    _fill(again, catalogue, Rows(known, own, cutoffs[places], population=population))
    values[places] = again


def _checked(timeline: Timeline, customers: Codes, cutoffs: Ints) -> tuple[Codes, Ints]:
    customers = np.ascontiguousarray(customers, dtype=np.int32)
    cutoffs = np.ascontiguousarray(cutoffs, dtype=np.int64)
    if customers.ndim != 1 or customers.shape != cutoffs.shape:
        raise SchemaError("Rows need one cutoff a customer: two arrays of one length.")
    known = len(timeline.customer_ids)
    if len(customers) and not (customers.min() >= 0 and customers.max() < known):
        raise SchemaError(f"A customer code is not between 0 and {known - 1}.")
    return customers, cutoffs
