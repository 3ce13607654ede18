"""Which signals a shop's events can carry: by the kinds of event, and by the columns they fill.

A shop may send orders without a value, or tickets without a kind. Whether a signal can live without
a column is not declared but tried: on the made-up shop of :mod:`churnguard.features.specimen`, with
the columns emptied that the shop leaves empty, does it still tell customers apart?
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churnguard.events.schema import EVENT_SCHEMA
from churnguard.events.timeline import MISSING, MONEY_COLUMNS, WORD_COLUMNS, Timeline
from churnguard.features.btyd import MIN_CUSTOMERS, MIN_REPEAT_BUYERS
from churnguard.features.build import build_features
from churnguard.features.catalogue import Catalogue
from churnguard.features.population import PARAMETERS, Population
from churnguard.features.signal import Signal
from churnguard.features.specimen import CUTOFFS, POPULATION, specimen_events

Column = tuple[str, str]
"""A kind of event and one of its columns."""

COLUMNS = (*MONEY_COLUMNS, "quantity", *WORD_COLUMNS)
"""Columns that signals read and that a shop may leave empty."""


def carried_by(
    catalogue: Catalogue, timelines: Sequence[Timeline]
) -> tuple[Catalogue, dict[str, str]]:
    """Return the signals that a shop's events can carry, and why others are left out.

    Parameters
    ----------
    catalogue : Catalogue
        The signals asked for.
    timelines : sequence of Timeline
        The shop's events, in partitions of customers.

    Returns
    -------
    catalogue : Catalogue
        Signals whose events occur, less those that say the same of everybody without a column that
        all these events leave empty.
    left_out : dict of str to str
        One sentence or two for each family that lost signals.
    """
    counts: dict[str, int] = {}
    for timeline in timelines:
        for event, count in timeline.counts.items():
            counts[event] = counts.get(event, 0) + count
    return carried_with(catalogue, counts, empty_columns(timelines))


def carried_with(
    catalogue: Catalogue, counts: Mapping[str, int], empty: set[Column]
) -> tuple[Catalogue, dict[str, str]]:
    """Return what :func:`carried_by` does, where events and empty columns were found elsewhere."""
    there, _ = catalogue.available(counts)
    mute = mute_without(there, empty)
    carried = there.subset(name for name in there.names if name not in mute)
    left_out = {}
    for family in dict.fromkeys(found.family for found in catalogue.signals):
        mine = [found for found in catalogue.signals if found.family == family]
        lost = [found for found in mine if found.name not in carried.names]
        if lost:
            share = (
                "All signals" if len(lost) == len(mine) else f"{len(lost)} of {len(mine)} signals"
            )
            why = " and ".join(_reasons(lost, counts, mute))
            left_out[family] = f"{share} of '{family}' are left out: {why}."
    return carried, left_out


def empty_without_fit(catalogue: Catalogue, population: Population) -> dict[str, str]:
    """Return why signals that stand on fits over all customers are empty, where none was made.

    Returns
    -------
    dict of str to str
        One sentence for each family of which signals have no fit at any cutoff.
    """
    missing = np.isnan(population.parameters).all(axis=0)
    if not missing.any():
        return {}
    events = specimen_events()
    unfitted = replace(POPULATION, parameters=np.where(missing, np.nan, POPULATION.parameters))
    mute = _mute(catalogue, events) ^ _mute(catalogue, events, unfitted)
    found = {}
    for family in dict.fromkeys(one.family for one in catalogue.signals if one.name in mute):
        mine = [one.name for one in catalogue.signals if one.family == family]
        empty = sum(name in mute for name in mine)
        share = "All signals" if empty == len(mine) else f"{empty} of {len(mine)} signals"
        found[family] = (
            f"{share} of '{family}' are empty: they want {MIN_CUSTOMERS} customers who had ordered "
            f"by the first of the cutoff's month, {MIN_REPEAT_BUYERS} of them twice."
        )
    return found


def _reasons(
    lost: Sequence[Signal], counts: Mapping[str, int], mute: Mapping[str, tuple[Column, ...]]
) -> list[str]:
    """Return why signals are left out: first events, then columns that do not occur."""
    needs = dict.fromkeys(event for found in lost for event in found.needs)
    absent = [f"no '{event}'" for event in needs if not counts.get(event)]
    columns = dict.fromkeys(column for found in lost for column in mute.get(found.name, ()))
    reasons = [f"the shop has {' and '.join(absent)} events"] if absent else []
    return reasons + [f"its '{event}' events have no '{name}'" for event, name in columns]


def empty_columns(timelines: Iterable[Timeline]) -> set[Column]:
    """Return the columns that no event of a kind fills, of the kinds that occur."""
    occurs: set[str] = set()
    filled: set[Column] = set()
    for timeline in timelines:
        for event in timeline.events:
            occurs.add(event)
            track = timeline.track(event)
            for name in COLUMNS:
                missing = -1 if name in WORD_COLUMNS else MISSING
                if (event, name) not in filled and (track.read(name) != missing).any():
                    filled.add((event, name))
    return {(event, name) for event in occurs for name in COLUMNS} - filled


def mute_without(catalogue: Catalogue, empty: set[Column]) -> dict[str, tuple[Column, ...]]:
    """Return the signals that say the same of everybody without some columns, and which those are.

    Parameters
    ----------
    catalogue : Catalogue
        Signals whose events occur.
    empty : set of (event, column)
        Columns that are always empty.

    Returns
    -------
    dict of str to tuple of (event, column)
        By signal, the columns of the events it needs each of which alone makes it mute; all empty
        ones of these events if only several together do.

    Examples
    --------
    >>> orders = Catalogue.of(["orders"], windows=(90,))
    >>> mute_without(orders, {("order_completed", "value")})["spend_90d"]
    (('order_completed', 'value'),)
    """
    needed = {event for found in catalogue.signals for event in found.needs}
    relevant = {column for column in empty if column[0] in needed}
    if not relevant:
        return {}
    events = specimen_events(needed)
    mute = _mute(catalogue, events) ^ _mute_without(catalogue, events, relevant)
    alone = {column: _mute_without(catalogue, events, {column}) for column in sorted(relevant)}
    return {
        found.name: _blamed(found, relevant, alone)
        for found in catalogue.signals
        if found.name in mute
    }


def _blamed(
    found: Signal, relevant: set[Column], alone: dict[Column, set[str]]
) -> tuple[Column, ...]:
    single = tuple(column for column, mute in alone.items() if found.name in mute)
    own = tuple(sorted(column for column in relevant if column[0] in found.needs))
    return single or own


def _mute_without(catalogue: Catalogue, events: pa.Table, columns: set[Column]) -> set[str]:
    """Return the signals that are mute where columns are empty, and nothing is fitted to them."""
    parameters = POPULATION.parameters.copy()
    if ("order_completed", "value") in columns:
        parameters[:, [name.startswith("gamma_") for name in PARAMETERS]] = np.nan
    unfitted = replace(POPULATION, parameters=parameters)
    return _mute(catalogue, _emptied(events, columns), unfitted)


def _mute(catalogue: Catalogue, events: pa.Table, population: Population = POPULATION) -> set[str]:
    """Return the signals that say the same of everybody who has only the events they need."""
    mute: set[str] = set()
    for needs in dict.fromkeys(found.needs for found in catalogue.signals):
        some = Catalogue(tuple(found for found in catalogue.signals if found.needs == needs))
        own = events.filter(pc.is_in(events["event"].cast(pa.string()), pa.array(needs)))
        timeline = Timeline.from_arrow(own)
        count = len(timeline.customer_ids)
        with np.errstate(all="ignore"):
            rows = build_features(
                timeline,
                some,
                np.tile(np.arange(count, dtype=np.int32), len(CUTOFFS)),
                np.repeat(np.array(CUTOFFS, np.int64), count),
                population=population,
            )
        for name, column in zip(rows.names, rows.values.T, strict=True):
            if len(np.unique(column[~np.isnan(column)])) <= 1:
                mute.add(name)
    return mute


def _emptied(events: pa.Table, columns: set[Column]) -> pa.Table:
    names = events["event"].cast(pa.string())
    for event, column in columns:
        field = EVENT_SCHEMA.field(column)
        kept = pc.if_else(pc.equal(names, event), pa.scalar(None, field.type), events[column])
        events = events.set_column(EVENT_SCHEMA.get_field_index(column), field, kept)
    return events
