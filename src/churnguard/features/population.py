"""What is fitted over all customers, from what was known then: lifetime models, on a fixed grid.

A row at ``T`` uses the newest fit at or before ``T``, in training as in serving, and names it by
its shop-local date. The grid is fixed (shop-local midnight of the first of each month), so that
everybody who fits a grid point from the same history gets the very same fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churnguard.clock import DAY_US, from_us, local_day, midnight, to_us
from churnguard.errors import NotEnoughHistory
from churnguard.events.timeline import Timeline
from churnguard.features import kernel
from churnguard.features.btyd import BgNbd, MbgNbd, fit_bgnbd, fit_mbgnbd

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

PARAMETERS = (
    "bgnbd_r",
    "bgnbd_alpha",
    "bgnbd_a",
    "bgnbd_b",
    "mbgnbd_r",
    "mbgnbd_alpha",
    "mbgnbd_a",
    "mbgnbd_b",
)
"""What a fit consists of; time is in days."""

_ORDER = "order_completed"


@dataclass(frozen=True)
class LifetimeModels:
    """The lifetime models of one grid point."""

    bgnbd: BgNbd
    mbgnbd: MbgNbd


@dataclass(frozen=True)
class Population:
    """Fits by grid point, oldest first.

    Attributes
    ----------
    fitted_at : ndarray of int64, shape (m,)
        Grid points, microseconds UTC, rising.
    names : tuple of str
        Their shop-local dates.
    parameters : ndarray of float64, shape (m, 8)
        Columns as in ``PARAMETERS``; NaN where the shop was too thin to fit.

    Examples
    --------
    >>> two = Population(np.array([0, 7 * DAY_US]), ("1970-01-01", "1970-01-08"), np.ones((2, 8)))
    >>> two.name_at(6 * DAY_US), two.name_at(7 * DAY_US), two.name_at(-1)
    ('1970-01-01', '1970-01-08', None)
    """

    fitted_at: Ints
    names: tuple[str, ...]
    parameters: Floats

    def at(self, cutoffs: Ints) -> Ints:
        """Return the place of the newest fit at or before each cutoff, -1 where there is none."""
        return np.searchsorted(self.fitted_at, cutoffs, side="right") - 1

    def name_at(self, cutoff_us: int) -> str | None:
        """Return the name of the fit that a row at a cutoff uses."""
        place = int(self.at(np.array([cutoff_us]))[0])
        return self.names[place] if place >= 0 else None

    def lifetime(self, place: int) -> LifetimeModels | None:
        """Return the models of one grid point; None where the shop was too thin to fit."""
        return self._lifetimes[place]

    @cached_property
    def _lifetimes(self) -> list[LifetimeModels | None]:
        return [
            None if np.isnan(row).any() else LifetimeModels(BgNbd(*row[:4]), MbgNbd(*row[4:]))
            for row in self.parameters.tolist()
        ]

    def to_table(self) -> pa.Table:
        """Return the population as a table, to be stored as Parquet."""
        columns = {
            "fitted_at": pa.array(self.fitted_at).cast(pa.timestamp("us", tz="UTC")),
            "name": pa.array(self.names, pa.string()),
        }
        for place, name in enumerate(PARAMETERS):
            columns[name] = pa.array(self.parameters[:, place])
        return pa.table(columns)

    @classmethod
    def from_table(cls, table: pa.Table) -> Population:
        """Return the population that :meth:`to_table` wrote."""
        return cls(
            fitted_at=table["fitted_at"].cast(pa.int64()).to_numpy(),
            names=tuple(table["name"].to_pylist()),
            parameters=np.column_stack([table[name].to_numpy() for name in PARAMETERS]),
        )


def population_grid(cutoffs: Ints | Iterable[int], *, timezone: str) -> tuple[date, ...]:
    """Return the grid points that rows at some cutoffs use, as shop-local dates.

    Parameters
    ----------
    cutoffs : iterable of int
        Microseconds UTC.
    timezone : str
        The shop's IANA time zone.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> saturday = to_us(datetime(2026, 11, 21, 8, tzinfo=UTC))
    >>> population_grid([saturday], timezone="Europe/London")
    (datetime.date(2026, 11, 1),)
    """
    days = (local_day(from_us(int(cutoff)), timezone) for cutoff in cutoffs)
    return tuple(sorted({day.replace(day=1) for day in days}))


def fit_population(
    timelines: Iterable[Timeline], cutoffs: Ints | Iterable[int], *, timezone: str
) -> Population:
    """Fit what rows at some cutoffs need, over all customers.

    Parameters
    ----------
    timelines : iterable of Timeline
        The whole shop, in partitions of customers; a list of one where it fits in memory.
    cutoffs : iterable of int
        Microseconds UTC.
    timezone : str
        The shop's IANA time zone.

    Returns
    -------
    Population
        One fit a grid point, NaN where the shop was too thin then.
    """
    instants = grid_instants(cutoffs, timezone=timezone)
    parts: list[list[Floats]] = [[] for _ in instants]
    for timeline in timelines:
        for part, instant in zip(parts, instants, strict=True):
            part.append(order_history(timeline, instant))
    histories = [np.concatenate(part) for part in parts]
    return fit_histories(histories, cutoffs, timezone=timezone)


def grid_instants(cutoffs: Ints | Iterable[int], *, timezone: str) -> list[int]:
    """Return the grid points that rows at some cutoffs use, in microseconds UTC."""
    return [to_us(midnight(day, timezone)) for day in population_grid(cutoffs, timezone=timezone)]


def fit_histories(
    histories: Sequence[Floats], cutoffs: Ints | Iterable[int], *, timezone: str
) -> Population:
    """Fit what rows at some cutoffs need, from order histories that were gathered before.

    Parameters
    ----------
    histories : sequence of ndarray, each of shape (customers, 3)
        One a grid point, of all customers, in any order: from :func:`order_history`.
    cutoffs : iterable of int
        Microseconds UTC.
    timezone : str
        The shop's IANA time zone.

    Returns
    -------
    Population
        The same bits whatever the order of the customers.
    """
    days = population_grid(cutoffs, timezone=timezone)
    parameters = [_fitted(history) for history in histories]
    return Population(
        np.array(grid_instants(cutoffs, timezone=timezone), dtype=np.int64),
        tuple(day.isoformat() for day in days),
        np.array(parameters, dtype=np.float64).reshape(len(days), len(PARAMETERS)),
    )


def order_history(timeline: Timeline, instant_us: int) -> Floats:
    """Return frequency, recency and age in days of every customer with a known order.

    Parameters
    ----------
    timeline : Timeline
        Some or all customers of the shop.
    instant_us : int
        Only orders that occurred and were received before it count, microseconds UTC.

    Returns
    -------
    ndarray of float64, shape (customers, 3)
        Orders within a day of a visit's start are part of that visit.
    """
    customers = np.arange(len(timeline.customer_ids), dtype=np.int32)
    at = np.full(len(customers), instant_us, dtype=np.int64)
    orders = timeline.known_at(customers, at, events=(_ORDER,)).track(_ORDER)
    starts = kernel.visit_starts(orders.occurred, orders.offsets, DAY_US)
    begun = orders.occurred[starts]
    edges = np.concatenate([[0], np.cumsum(starts)])[orders.offsets]
    first, end = edges[:-1], edges[1:]
    bought = end > first
    first, end = first[bought], end[bought]
    recency = (begun[end - 1] - begun[first]) / DAY_US
    age = (instant_us - begun[first]) / DAY_US
    return np.column_stack([end - first - 1.0, recency, age])


def _fitted(history: Floats) -> list[float]:
    """Return the parameters of both models; NaN where the history is too thin."""
    try:
        models = fit_bgnbd(*history.T), fit_mbgnbd(*history.T)
    except NotEnoughHistory:
        return [np.nan] * len(PARAMETERS)
    return [value for m in models for value in (m.r, m.alpha, m.a, m.b)]
