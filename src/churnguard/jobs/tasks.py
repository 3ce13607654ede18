"""What an engine's workers do with one partition of customers: the local jobs' own functions.

A task is plain data and a call. What it needs of the project travels with it as a parcel, which a
worker reads once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from churnguard.clock import from_us
from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.events.timeline import MONEY_COLUMNS, WORD_COLUMNS, Timeline
from churnguard.features.catalogue import Catalogue
from churnguard.features.coverage import empty_columns
from churnguard.features.population import Population, order_history
from churnguard.jobs.champion import LoadedChampion
from churnguard.jobs.known_bundle import load_known_bundle
from churnguard.jobs.ports import LedgerEntry
from churnguard.jobs.scoring_context import feature_rows
from churnguard.jobs.snapshots import (
    LABEL,
    POPULATION,
    known_events,
    labelled_table,
    snapshot_rows,
)
from churnguard.labels import ORDER_GAP, mature
from churnguard.policy.playbook import Playbook, read_playbook
from churnguard.project.loader import load_catalogue
from churnguard.project.parcel import Parcel
from churnguard.scoring.abstention import book_reason
from churnguard.scoring.bundle import Bundle
from churnguard.scoring.compose import ScoringContext, compose_scores, score_without_number
from churnguard.store.score_json import dump_score

_INSTANT = pa.timestamp("us", tz="UTC")
_CLOCKS = ("event_id", "customer_id", "event", "occurred_at", "received_at")
SIGNAL_COLUMNS = (*_CLOCKS, *MONEY_COLUMNS, "quantity", *WORD_COLUMNS)
"""The columns of events that signals may read."""

LAST_ACTIONS = "last_actions"
"""Beside the customer book: when actions were last taken, by code, as JSON."""

BESIDE_SCHEMA = CUSTOMER_SCHEMA.append(pa.field("in_book", pa.bool_())).append(
    pa.field(LAST_ACTIONS, pa.string())
)
"""What a scoring task is given beside the events: book rows and last actions, by customer."""


@dataclass(frozen=True)
class Known:
    """Which events count: known before an instant, of customers who may be profiled."""

    before: datetime
    unwanted: tuple[str, ...]

    def of(self, events: pa.Table) -> pa.Table:
        """Return those events."""
        return known_events(events, self.before, pa.array(self.unwanted, pa.string()))


@dataclass(frozen=True)
class Survey:
    """Counts the events by kind, finds the newest, and tells which columns they fill."""

    known: Known
    columns: ClassVar[Sequence[str]] = SIGNAL_COLUMNS
    schema: ClassVar[pa.Schema] = pa.schema(
        [
            ("event", pa.string()),
            ("events", pa.int64()),
            ("newest", _INSTANT),
            ("empty", pa.list_(pa.string())),
        ]
    )

    def __call__(self, events: pa.Table, beside: pa.Table | None = None) -> pa.Table:
        """Return one row a kind of event."""
        del beside
        timeline = Timeline.from_arrow(self.known.of(events))
        empty = empty_columns([timeline])
        rows = [
            {
                "event": kind,
                "events": count,
                "newest": from_us(int(timeline.track(kind).occurred.max())),
                "empty": sorted(name for event, name in empty if event == kind),
            }
            for kind, count in timeline.counts.items()
        ]
        return pa.Table.from_pylist(rows, schema=self.schema)


@dataclass(frozen=True)
class OrderHistories:
    """Gathers what lifetime models are fitted on, at each point of the population's grid."""

    known: Known
    instants: tuple[int, ...]
    columns: ClassVar[Sequence[str]] = (*_CLOCKS, "value")
    schema: ClassVar[pa.Schema] = pa.schema(
        [("place", pa.int32()), ("history", pa.list_(pa.float64()))]
    )

    def __call__(self, events: pa.Table, beside: pa.Table | None = None) -> pa.Table:
        """Return one row a customer and grid point: the point's place, and the order history."""
        del beside
        orders = events.filter(pc.equal(events["event"].cast(pa.string()), "order_completed"))
        timeline = Timeline.from_arrow(self.known.of(orders))
        found = [order_history(timeline, instant) for instant in self.instants]
        places = np.repeat(np.arange(len(found), dtype=np.int32), [len(part) for part in found])
        numbers = np.concatenate(found)
        edges = np.arange(len(numbers) + 1, dtype=np.int32) * numbers.shape[1]
        history = pa.ListArray.from_arrays(edges, numbers.ravel())
        return pa.table([pa.array(places), history], schema=self.schema)

    def gathered(self, answers: pa.Table) -> list[NDArray[np.float64]]:
        """Return the histories of all customers, one array a grid point."""
        whole = answers["history"].combine_chunks()
        numbers = whole.flatten().to_numpy().reshape(len(whole), -1)
        places = answers["place"].to_numpy()
        return [numbers[places == place] for place in range(len(self.instants))]


@dataclass(frozen=True)
class SnapshotRows:
    """Builds the rows of eligible customers at cutoffs, with their label where it is mature."""

    known: Known
    rooms: Parcel
    names: tuple[str, ...]
    cutoffs: tuple[int, ...]
    population: Population
    horizon_days: int
    look_back_days: int
    data_end: int
    label: str = ORDER_GAP
    columns: ClassVar[Sequence[str]] = SIGNAL_COLUMNS

    @property
    def schema(self) -> pa.Schema:
        """Customer, cutoff, one column a signal, and the fit and the label."""
        return pa.schema(
            [
                ("customer_id", pa.string()),
                ("cutoff", _INSTANT),
                *((name, pa.float64()) for name in self._catalogue.names),
                (POPULATION, pa.string()),
                (LABEL, pa.bool_()),
            ]
        )

    def __call__(self, events: pa.Table, beside: pa.Table | None = None) -> pa.Table:
        """Return the rows of a partition."""
        del beside
        rows, gone = snapshot_rows(
            Timeline.from_arrow(self.known.of(events)),
            _catalogue(self.rooms, self.names),
            self.cutoffs,
            population=self.population,
            horizon_days=self.horizon_days,
            look_back_days=self.look_back_days,
            label=self.label,
        )
        return labelled_table(rows, gone, mature(rows.cutoffs, self.horizon_days, self.data_end))

    @property
    def _catalogue(self) -> Catalogue:
        return _catalogue(self.rooms, self.names)


@dataclass(frozen=True)
class CustomersSeen:
    """Finds every customer with an event, and the newest event that was known at an instant."""

    before: datetime
    columns: ClassVar[Sequence[str]] = ("customer_id", "occurred_at", "received_at")
    schema: ClassVar[pa.Schema] = pa.schema([("customer_id", pa.string()), ("newest", _INSTANT)])

    def __call__(self, events: pa.Table, beside: pa.Table | None = None) -> pa.Table:
        """Return one row a customer; null where nothing was known yet."""
        del beside
        instant = pa.scalar(self.before, _INSTANT)
        known = pc.and_(
            pc.less(events["occurred_at"], instant), pc.less(events["received_at"], instant)
        )
        at = pc.if_else(known, events["occurred_at"], pa.scalar(None, _INSTANT))
        newest = pa.table({"customer_id": events["customer_id"], "at": at}).group_by("customer_id")
        found = newest.aggregate([("at", "max")]).select(["customer_id", "at_max"])
        return found.rename_columns(self.schema.names).cast(self.schema)


@dataclass(frozen=True)
class Scores:
    """Scores a partition's customers by a bundle that travels along, signature and all.

    Attributes
    ----------
    parcel : Parcel
        The bundle, the trusted keys, the playbook and the shop's own signals.
    entry : LedgerEntry
        Names the bundle.
    context : mapping
        The fields of ``ScoringContext`` that are plain data.
    as_of : datetime
        The cutoff.
    explain : bool
        Give reasons.
    """

    parcel: Parcel
    entry: LedgerEntry
    context: Mapping[str, Any]
    as_of: datetime
    explain: bool = False
    columns: ClassVar[Sequence[str]] = SIGNAL_COLUMNS
    schema: ClassVar[pa.Schema] = pa.schema([("customer_id", pa.string()), ("score", pa.string())])

    def __call__(self, events: pa.Table, beside: pa.Table | None = None) -> pa.Table:
        """Return one score a customer, as JSON that holds every bit."""
        assert beside is not None
        bundle, playbook = _scorer(self.parcel, self.entry.bundle)
        context = ScoringContext(
            model=bundle.model, catalogue=bundle.catalogue, playbook=playbook, **self.context
        )
        book, last_actions = _read_beside(beside)
        timeline = Timeline.from_arrow(events)
        rows = feature_rows(timeline, LoadedChampion(self.entry, bundle), as_of=self.as_of)
        scores = compose_scores(
            context, rows, book, last_actions, as_of=self.as_of, explain=self.explain
        )
        silent = sorted(book.keys() - set(timeline.customer_ids))
        scores += [
            score_without_number(
                context, name, book_reason(book[name]) or context.never, as_of=self.as_of
            )
            for name in silent
        ]
        columns = [[score.customer_id for score in scores], [dump_score(s) for s in scores]]
        return pa.table(columns, schema=self.schema)


def plain_context(context: ScoringContext) -> dict[str, Any]:
    """Return the fields of a scoring context that are plain data, for :class:`Scores`."""
    read_by_workers = {"model", "catalogue", "playbook"}
    names = (field.name for field in fields(context) if field.name not in read_by_workers)
    return {name: getattr(context, name) for name in names}


def _read_beside(
    beside: pa.Table,
) -> tuple[dict[str, Mapping[str, Any]], dict[str, dict[str, datetime]]]:
    """Return the book rows and the last actions of some customers."""
    book: dict[str, Mapping[str, Any]] = {}
    last_actions: dict[str, dict[str, datetime]] = {}
    for row in beside.to_pylist():
        name, taken, in_book = row["customer_id"], row.pop(LAST_ACTIONS), row.pop("in_book")
        if in_book:
            book[name] = row
        if taken is not None:
            last_actions[name] = {
                code: datetime.fromisoformat(at) for code, at in orjson.loads(taken).items()
            }
    return book, last_actions


@lru_cache(maxsize=2)
def _catalogue(rooms: Parcel, names: tuple[str, ...]) -> Catalogue:
    """Load a catalogue once in each worker."""
    with rooms.unpacked() as layout:
        return load_catalogue(layout).subset(names)


@lru_cache(maxsize=2)
def _scorer(parcel: Parcel, digest: str) -> tuple[Bundle, Playbook]:
    """Verify and load a bundle once in each worker."""
    with parcel.unpacked() as layout:
        folder = layout.bundles / digest.removeprefix("sha256:")
        return load_known_bundle(layout, folder), read_playbook(layout.playbook)


assert set(SIGNAL_COLUMNS) <= set(EVENT_SCHEMA.names)
