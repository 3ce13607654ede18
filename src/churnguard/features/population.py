"""What is fitted over all customers, from what was known then: lifetime models, on a fixed grid.

A row at ``T`` uses the newest fit at or before ``T``, in training as in serving, and names it by
its shop-local date. The grid is fixed (shop-local midnight of the first of each month), so that
everybody who fits a grid point from the same history gets the very same fit. Each fit carries a
digest of the history that it was made from: stored, it is used again while that stays the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from churnguard.clock import DAY_US, from_us, local_day, midnight, to_us
from churnguard.compiled import side_by_side
from churnguard.errors import NotEnoughHistory
from churnguard.events.schema import MONEY_SCALE
from churnguard.events.timeline import MISSING, Timeline, Track
from churnguard.features import kernel
from churnguard.features.btyd import fit_bgnbd, fit_mbgnbd
from churnguard.features.gamma_gamma import fit_gamma_gamma

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
    "gamma_p",
    "gamma_q",
    "gamma_v",
)
"""What a fit consists of; time is in days, ``gamma_v`` in money."""

VERSION = 1
"""Part of every digest; raised when a fit's result changes."""

HISTORY = ("frequency", "recency", "age", "valued", "total")
"""The columns of an order history: see :func:`order_history`."""

_ORDER = "order_completed"
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@dataclass(frozen=True)
class Population:
    """Fits by grid point, oldest first.

    Attributes
    ----------
    fitted_at : ndarray of int64, shape (m,)
        Grid points, microseconds UTC, rising.
    names : tuple of str
        Their shop-local dates.
    parameters : ndarray of float64, shape (m, 11)
        Columns as in ``PARAMETERS``; NaN where the shop was too thin to fit.
    digests : tuple of str
        What history each was fitted from; empty where that is not known.

    Examples
    --------
    >>> days = np.array([0, 7 * DAY_US])
    >>> two = Population(days, ("1970-01-01", "1970-01-08"), np.ones((2, len(PARAMETERS))))
    >>> two.name_at(6 * DAY_US), two.name_at(7 * DAY_US), two.name_at(-1)
    ('1970-01-01', '1970-01-08', None)
    """

    fitted_at: Ints
    names: tuple[str, ...]
    parameters: Floats
    digests: tuple[str, ...] = ()

    def at(self, cutoffs: Ints) -> Ints:
        """Return the place of the newest fit at or before each cutoff, -1 where there is none."""
        return np.searchsorted(self.fitted_at, cutoffs, side="right") - 1

    def name_at(self, cutoff_us: int) -> str | None:
        """Return the name of the fit that a row at a cutoff uses."""
        place = int(self.fitted_at.searchsorted(cutoff_us, side="right")) - 1
        return self.names[place] if place >= 0 else None

    def names_at(self, cutoffs: Ints) -> list[str | None]:
        """Return the name of the fit that each row uses."""
        names = (*self.names, None)
        return [names[place] for place in self.at(cutoffs).tolist()]

    def parameters_at(self, cutoffs: Ints) -> Floats:
        """Return the fit that each row uses, shape (n, 11); NaN where there is none."""
        fits: Floats = self._and_none[self.at(cutoffs)]
        return fits

    @cached_property
    def _and_none(self) -> Floats:
        """Return the fits and, last, where the place -1 finds it, none."""
        return np.concatenate([self.parameters, np.full((1, len(PARAMETERS)), np.nan)])

    def joined(self, later: Population) -> Population:
        """Return these fits and those of another population at grid points that these lack."""
        new = [place for place, name in enumerate(later.names) if name not in self.names]
        instants = np.concatenate([self.fitted_at, later.fitted_at[new]])
        order = np.argsort(instants, kind="stable")
        names = (*self.names, *(later.names[place] for place in new))
        digests = (*self._digests, *(later._digests[place] for place in new))
        return Population(
            instants[order],
            tuple(names[place] for place in order),
            np.concatenate([self.parameters, later.parameters[new]])[order],
            tuple(digests[place] for place in order),
        )

    @property
    def _digests(self) -> tuple[str, ...]:
        return self.digests or ("",) * len(self.names)

    def stored_fits(self) -> dict[tuple[str, str], Floats]:
        """Return parameters by name and digest, of fits whose history is known."""
        keys = zip(self.names, self._digests, strict=True)
        return {key: row for key, row in zip(keys, self.parameters, strict=True) if key[1]}

    def to_table(self) -> pa.Table:
        """Return the population as a table, to be stored as Parquet."""
        columns = {
            "fitted_at": pa.array(self.fitted_at).cast(pa.timestamp("us", tz="UTC")),
            "name": pa.array(self.names, pa.string()),
            "digest": pa.array(self._digests, pa.string()),
        }
        for place, name in enumerate(PARAMETERS):
            columns[name] = pa.array(self.parameters[:, place])
        return pa.table(columns)

    @classmethod
    def from_table(cls, table: pa.Table) -> Population:
        """Return the population that :meth:`to_table` wrote; what it lacks is missing."""
        unknown = np.full(len(table), np.nan)
        held = set(table.column_names)
        return cls(
            fitted_at=table["fitted_at"].cast(pa.int64()).to_numpy(),
            names=tuple(table["name"].to_pylist()),
            parameters=np.column_stack(
                [table[name].to_numpy() if name in held else unknown for name in PARAMETERS]
            ),
            digests=tuple(table["digest"].to_pylist()) if "digest" in held else (),
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
    timelines: Iterable[Timeline],
    cutoffs: Ints | Iterable[int],
    *,
    timezone: str,
    stored: Population | None = None,
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
    stored : Population, optional
        Earlier fits: one whose history is the same to the bit is taken as it is.

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
    return fit_histories(histories, cutoffs, timezone=timezone, stored=stored)


def grid_instants(cutoffs: Ints | Iterable[int], *, timezone: str) -> list[int]:
    """Return the grid points that rows at some cutoffs use, in microseconds UTC."""
    return [to_us(midnight(day, timezone)) for day in population_grid(cutoffs, timezone=timezone)]


def fit_histories(
    histories: Sequence[Floats],
    cutoffs: Ints | Iterable[int],
    *,
    timezone: str,
    stored: Population | None = None,
) -> Population:
    """Fit what rows at some cutoffs need, from order histories that were gathered before.

    Parameters
    ----------
    histories : sequence of ndarray, each of shape (customers, 5)
        One a grid point, of all customers, in any order: from :func:`order_history`.
    cutoffs : iterable of int
        Microseconds UTC.
    timezone : str
        The shop's IANA time zone.
    stored : Population, optional
        Earlier fits: one whose history is the same to the bit is taken as it is.

    Returns
    -------
    Population
        The same bits whatever the order of the customers.
    """
    names = tuple(day.isoformat() for day in population_grid(cutoffs, timezone=timezone))
    digests = tuple(_digest(history) for history in histories)
    known = stored.stored_fits() if stored is not None else {}
    keys = list(zip(names, digests, strict=True))

    def parameters_of(place: int) -> Sequence[float] | Floats:
        key = keys[place]
        return known[key] if key in known else _fitted(histories[place])

    with threadpool_limits(1, user_api="blas"):  # more would change the bits, and cost time
        parameters = side_by_side(parameters_of, range(len(keys)))
    return Population(
        np.array(grid_instants(cutoffs, timezone=timezone), dtype=np.int64),
        names,
        np.array(parameters, dtype=np.float64).reshape(len(names), len(PARAMETERS)),
        digests,
    )


def order_history(timeline: Timeline, instant_us: int) -> Floats:
    """Return what is known of the orders of every customer who has one.

    Parameters
    ----------
    timeline : Timeline
        Some or all customers of the shop.
    instant_us : int
        Only orders that occurred and were received before it count, microseconds UTC.

    Returns
    -------
    ndarray of float64, shape (customers, 5)
        Frequency, recency and age in days; visits with a value, and what those came to. Orders
        within a day of a visit's start are part of that visit.
    """
    customers = np.arange(len(timeline.customer_ids), dtype=np.int32)
    at = np.full(len(customers), instant_us, dtype=np.int64)
    orders = timeline.known_at(customers, at, events=(_ORDER,)).track(_ORDER)
    begun, edges = _visits(orders.occurred, orders.offsets)
    first, end = edges[:-1], edges[1:]
    bought = end > first
    first, end = first[bought], end[bought]
    recency = (begun[end - 1] - begun[first]) / DAY_US
    age = (instant_us - begun[first]) / DAY_US
    valued, total = _values(orders)
    return np.column_stack([end - first - 1.0, recency, age, valued[bought], total[bought]])


def _visits(occurred: Ints, offsets: Ints) -> tuple[Ints, Ints]:
    """Return the instants at which visits begin, and where each customer's begin and end."""
    starts = kernel.visit_starts(occurred, offsets, DAY_US)
    return occurred[starts], np.concatenate([[0], np.cumsum(starts)])[offsets]


def _values(orders: Track) -> tuple[Floats, Floats]:
    """Return each customer's number of visits with a value, and what they came to, in money."""
    value = orders.read("value")
    there = value != MISSING
    offsets = np.concatenate([[0], np.cumsum(there)])[orders.offsets]
    _, edges = _visits(orders.occurred[there], offsets)
    total = np.concatenate([[0], np.cumsum(value[there])])[offsets]
    return np.diff(edges).astype(np.float64), np.diff(total) / MONEY_SCALE


def _digest(history: Floats) -> str:
    """Return a digest of a history, whatever the order of its customers.

    Each row is mixed into 64 bits (as in splitmix64: Steele, Lea, Flood, OOPSLA 2014); the sum of
    all does not depend on their order.
    """
    mixed = np.zeros(len(history), dtype=np.uint64)
    for column in history.T:
        mixed = (mixed ^ np.ascontiguousarray(column).view(np.uint64)) * _MIX[0]
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX[1]
        mixed ^= mixed >> np.uint64(31)
    return f"{VERSION}-{len(history)}-{int(mixed.sum(dtype=np.uint64)):016x}"


def _fitted(history: Floats) -> list[float]:
    """Return the parameters of all models; NaN where the history is too thin for one."""
    visits, values = history[:, :3].T, history[:, 3:].T
    parameters = [math.nan] * len(PARAMETERS)
    with suppress(NotEnoughHistory):
        models = fit_bgnbd(*visits), fit_mbgnbd(*visits)
        parameters[:8] = [float(part) for m in models for part in (m.r, m.alpha, m.a, m.b)]
        money = fit_gamma_gamma(*values)
        parameters[8:] = [float(part) for part in (money.p, money.q, money.v)]
    return parameters
