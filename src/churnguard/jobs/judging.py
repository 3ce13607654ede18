"""Judges one chunk of rows, from whichever door: what may become an event, and what is set aside.

Files and requests both end here, so that the same row is judged alike wherever it comes from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from churnguard.events.fields import Fields, read_fields
from churnguard.events.mapping import Mapping
from churnguard.events.readers import Chunk
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.events.shapes import SHAPES, shape_customers
from churnguard.events.times import Mask, ReadTimes, lag_us
from churnguard.events.validation import Verdicts, judge_customers, judge_events
from churnguard.jobs.ports import QuarantinedRow, Shop
from churnguard.jobs.set_aside import set_aside


@dataclass(frozen=True)
class Judged:
    """One chunk, read and judged: what goes into the store, and what does not.

    Attributes
    ----------
    derived, events : pyarrow.Table
        Events that stand for several rows, and one for each row that is fine.
    rejected : list of QuarantinedRow
        The others, and the lines that are no rows.
    verdicts : Verdicts
        What speaks against each row.
    rows, ambiguous, moved : int
        Rows in all; fine ones with a time that occurs twice, or that never was.
    ignored : tuple of str
        Columns that the mapping has no use for.
    """

    derived: pa.Table
    events: pa.Table
    rejected: list[QuarantinedRow]
    verdicts: Verdicts
    rows: int
    ambiguous: int
    moved: int
    ignored: tuple[str, ...]

    @property
    def fine(self) -> Any:
        """The places of the rows that are fine, as an array."""
        return np.flatnonzero(self.verdicts.fine)


def judge(
    shop: Shop, chunk: Chunk, mapping: Mapping, recipe: str, *, received: int | None = None
) -> Judged:
    """Read, judge and shape one chunk.

    Parameters
    ----------
    recipe : str
        How the rows are read, as JSON: what is found wanting is read again by it.
    received : int, optional
        When we were told of the rows, in microseconds, stamped by us: whatever they say themselves
        about that does not count. If left out, they say it, or the mapping's lag is assumed.
    """
    settings, now = shop.settings, shop.clock()
    columns = chunk.table.column_names
    places = mapping.locate(columns, source=chunk.source)
    fields = read_fields(chunk.table, places, mapping, timezone=settings.timezone)
    if received is not None:
        fields = _stamped(fields, received)
    if mapping.shape == "customers":
        verdicts = judge_customers(fields, mapping, now=now)
        derived, events = EVENT_SCHEMA.empty_table(), shape_customers(fields, verdicts)
    else:
        verdicts = judge_events(fields, mapping, now=now, currency=settings.currency)
        lag = f"{settings.known_lag_seconds}s" if mapping.known_lag is None else mapping.known_lag
        shaped = SHAPES[mapping.shape](fields, mapping, verdicts, lag_us=lag_us(lag))
        derived, events = shaped.derived, shaped.events
    ambiguous, moved = _odd_times(fields.times.values(), verdicts)
    used = {*places.values(), *mapping.keep, *mapping.parts(columns).values()}
    return Judged(
        derived=derived,
        events=events,
        rejected=set_aside(chunk, verdicts, recipe),
        verdicts=verdicts,
        rows=chunk.table.num_rows + len(chunk.broken),
        ambiguous=ambiguous,
        moved=moved,
        ignored=tuple(name for name in columns if name not in used),
    )


def _stamped(fields: Fields, received: int) -> Fields:
    """Return fields that were received now, by our own clock."""
    none = np.zeros(fields.rows, bool)
    now = ReadTimes(np.full(fields.rows, received, np.int64), none, none, none, none)
    clock = pa.array(["true"] * fields.rows, pa.string())
    return replace(
        fields,
        times={**fields.times, "received_at": now},
        text={**fields.text, "clock": clock},
    )


def _odd_times(times: Any, verdicts: Verdicts) -> tuple[int, int]:
    """Count rows that are fine and have a time that occurs twice, or that never was."""
    ambiguous: Mask = np.zeros(len(verdicts.codes), bool)
    moved = ambiguous.copy()
    for read in times:
        ambiguous |= read.ambiguous
        moved |= read.moved
    return int((ambiguous & verdicts.fine).sum()), int((moved & verdicts.fine).sum())
