"""Snapshots: all eligible customers at some cutoffs, with their signals and what they did next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from joblib import Parallel, delayed
from numpy.typing import NDArray

from churnguard.clock import end_of_local_day, to_us
from churnguard.errors import NotEnoughHistory
from churnguard.events.timeline import Timeline
from churnguard.features.build import FeatureRows, build_features
from churnguard.features.catalogue import Catalogue
from churnguard.features.population import Population
from churnguard.jobs.ports import Progress, Shop
from churnguard.labels import ORDER_GAP, Label, label_named, mature

_THREADS = 2

POPULATION, LABEL = "population", "churned"
"""What stands beside the signals in a table of rows, after them."""


@dataclass(frozen=True)
class History:
    """What a shop had told us before an instant, sorted, without those who may not be profiled.

    Attributes
    ----------
    timelines : list of Timeline
        One a partition; all events of a customer are in one of them.
    event_counts : dict of str to int
        Events by name.
    data_from, data_through : datetime
        The oldest and the newest event.
    data_end : int
        End of its shop-local day, microseconds UTC: labels are mature up to here.
    assumed_share : float
        Share of events whose second clock was assumed.
    """

    timelines: list[Timeline]
    event_counts: dict[str, int]
    data_from: datetime
    data_through: datetime
    data_end: int
    assumed_share: float


@dataclass(frozen=True)
class Snapshots:
    """Eligible customers at cutoffs, sorted by (cutoff, customer).

    Attributes
    ----------
    rows : FeatureRows
        Signals.
    churned : ndarray of bool, shape (n,)
        By the label, within the horizon; to be believed only where ``mature``.
    mature : ndarray of bool, shape (n,)
        The whole horizon is within the data.
    """

    rows: FeatureRows
    churned: NDArray[np.bool_]
    mature: NDArray[np.bool_]


def read_history(shop: Shop, *, known_before: datetime, progress: Progress) -> History:
    """Read all events that were known before an instant.

    Raises
    ------
    NotEnoughHistory
        If there is none.
    """
    unwanted = pa.array(not_to_be_profiled(shop), pa.string())
    timelines: list[Timeline] = []
    counts: dict[str, int] = {}
    spans: list[dict[str, datetime]] = []
    assumed = 0
    for done, part in enumerate(shop.events.partitions(), start=1):
        progress("reading events", done, None)
        events = known_events(part, known_before, unwanted)
        if not events.num_rows:
            continue
        for entry in pc.value_counts(events["event"].cast(pa.string())).to_pylist():
            counts[entry["values"]] = counts.get(entry["values"], 0) + entry["counts"]
        assumed += pc.sum(pc.equal(events["clock"].cast(pa.string()), "assumed")).as_py()
        spans.append(pc.min_max(events["occurred_at"]).as_py())
        timelines.append(Timeline.from_arrow(events))
    if not spans:
        raise NotEnoughHistory(
            f"Nothing was known before {known_before:%Y-%m-%d}.",
            hint="Bring in the shop's files with 'churnguard ingest', or choose a later instant.",
        )
    newest = max(span["max"] for span in spans)
    end = end_of_local_day(newest, shop.settings.timezone)
    return History(
        timelines=timelines,
        event_counts=counts,
        data_from=min(span["min"] for span in spans),
        data_through=newest,
        data_end=to_us(end),
        assumed_share=assumed / sum(counts.values()),
    )


def take_snapshots(
    history: History,
    catalogue: Catalogue,
    cutoffs: Sequence[int],
    *,
    population: Population | None,
    horizon_days: int,
    look_back_days: int,
    progress: Progress,
    label: str = ORDER_GAP,
) -> Snapshots:
    """Build the rows of all eligible customers at some cutoffs.

    Parameters
    ----------
    history : History
        From :func:`read_history`.
    catalogue : Catalogue
        The signals.
    cutoffs : sequence of int
        Microseconds UTC.
    population : Population, optional
        Fits for these cutoffs, from ``fit_population``.
    horizon_days, look_back_days : int
        What the label means.
    progress : callable
        Told what is being done.
    label : str
        See :func:`churnguard.labels.label_named`.
    """

    def of(timeline: Timeline) -> tuple[FeatureRows, NDArray[np.bool_]]:
        return snapshot_rows(
            timeline,
            catalogue,
            cutoffs,
            population=population,
            horizon_days=horizon_days,
            look_back_days=look_back_days,
            label=label,
        )

    parts, outcomes = [], []
    work = Parallel(n_jobs=_THREADS, prefer="threads", return_as="generator")
    for rows, gone in work(delayed(of)(timeline) for timeline in history.timelines):
        parts.append(rows)
        outcomes.append(gone)
        progress("building signals", len(parts), len(history.timelines))
    whole, order = _joined(parts)
    known = mature(whole.cutoffs, horizon_days, history.data_end)
    return Snapshots(whole, np.concatenate(outcomes)[order], known)


def labelled_table(
    rows: FeatureRows, churned: NDArray[np.bool_], mature: NDArray[np.bool_]
) -> pa.Table:
    """Return rows as a table, with the fit that each used and its label, null while it is open."""
    table = rows.to_arrow().append_column(POPULATION, pa.array(rows.fits(), pa.string()))
    return table.append_column(LABEL, pa.array(churned, pa.bool_(), mask=~mature))


def not_to_be_profiled(shop: Shop) -> list[str]:
    """Return customers who objected or are restricted, and staff and tests: they teach nothing."""
    book = shop.events.customers()
    flags = pa.array(np.zeros(book.num_rows, bool))
    for name in ("opt_out_profiling", "exclude", "restricted"):
        flags = pc.or_(flags, pc.fill_null(book[name], False))
    ids: list[str] = book.filter(flags)["customer_id"].to_pylist()
    return ids


def known_events(events: pa.Table, before: datetime, unwanted: pa.Array) -> pa.Table:
    """Return the events that were known before an instant, of all but unwanted customers."""
    instant = pa.scalar(before, pa.timestamp("us", tz="UTC"))
    known = pc.and_(
        pc.less(events["occurred_at"], instant), pc.less(events["received_at"], instant)
    )
    if len(unwanted):
        known = pc.and_(known, pc.invert(pc.is_in(events["customer_id"], value_set=unwanted)))
    return events.filter(known)


def snapshot_rows(
    timeline: Timeline,
    catalogue: Catalogue,
    cutoffs: Sequence[int],
    *,
    population: Population | None,
    horizon_days: int,
    look_back_days: int,
    label: str = ORDER_GAP,
) -> tuple[FeatureRows, NDArray[np.bool_]]:
    """Build the rows of one partition's eligible customers, and tell who churned after."""
    meaning = label_named(label)
    customers, instants = eligible_rows(timeline, meaning, cutoffs, look_back_days)
    rows = build_features(timeline, catalogue, customers, instants, population=population)
    return rows, meaning.churned(timeline, customers, instants, horizon_days)


def eligible_rows(
    timeline: Timeline, meaning: Label, cutoffs: Sequence[int], look_back_days: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return customer and cutoff of the rows of one partition, by cutoff."""
    found = [meaning.eligible(timeline, cutoff, look_back_days) for cutoff in cutoffs]
    instants = np.repeat(np.asarray(cutoffs, np.int64), [len(codes) for codes in found])
    return np.concatenate(found) if found else np.zeros(0, np.int32), instants


def _joined(parts: list[FeatureRows]) -> tuple[FeatureRows, NDArray[np.int64]]:
    """Return the rows of all parts by (cutoff, customer), and which row of theirs each was.

    The parts are used up, one after the other: a large shop's rows are not held twice.
    """
    ids = np.concatenate([part.customer_ids for part in parts])
    cutoffs = np.concatenate([part.cutoffs for part in parts])
    keys = pa.table({"cutoff": cutoffs, "customer_id": pa.array(ids, pa.string())})
    by = [(name, "ascending") for name in keys.column_names]
    order = pc.sort_indices(keys, sort_keys=by).to_numpy().astype(np.int64)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    names, population = parts[0].names, parts[0].population
    values, start = np.empty((len(names), len(order))), 0
    parts.reverse()
    while parts:
        part = parts.pop()
        values[:, place[start : start + len(part)]] = part.values.T
        start += len(part)
    return FeatureRows(values.T, names, ids[order], cutoffs[order], population), order
