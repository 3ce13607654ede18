"""Plants what a row must not see: events told too late for it, and events that came after it.

They are made of the shop's own events, so that they look like what the shop will bring in, and hang
around one cutoff: exactly at it, a microsecond to either side, and at the edges of usual windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.events.schema import EVENT_SCHEMA, KNOWN_EVENTS

Ints = NDArray[np.int64]
Planted = Literal["late", "future"]

COPIES = 2
"""At most so many events are planted for each customer and kind of event."""

_LEFT_OUT = 0.2
"""Share of them that is left out by chance, so that kinds which balance out differ in number."""

_HOUR_US = DAY_US // 24
_BEFORE = (1, 1, _HOUR_US, *(days * DAY_US for days in (1, 7, 29, 30, 89, 180, 364)))
_DELAY = (0, 0, 1, _HOUR_US, DAY_US, 60 * DAY_US)
_AFTER = (0, 0, 1, _HOUR_US, DAY_US, 30 * DAY_US, 90 * DAY_US)
_STRANGE = {"value": 98_765.43, "quantity": 977, "discount": 123.45}
"""Numbers of every second planted event: nothing else is like them, so they are seen if read."""


def plant(
    events: pa.Table,
    customer_ids: Sequence[str],
    cutoff_us: int,
    *,
    what: Planted,
    kinds: Sequence[str] | None = None,
    seed: int = 0,
) -> pa.Table:
    """Return events that a row at a cutoff must not see, to be added to those that there are.

    Parameters
    ----------
    events : pyarrow.Table
        The shop's own, in ``EVENT_SCHEMA``: patterns for the planted ones.
    customer_ids : sequence of str
        Whose events they are.
    cutoff_us : int
        Microseconds UTC.
    what : {"late", "future"}
        Late: occurred before the cutoff, received at it or after. Future: occurred at the cutoff
        or after; some of them were received before it.
    kinds : sequence of str, optional
        Kinds of event; by default those that the shop has and those that signals know.
    seed : int
        The same seed plants the same.

    Returns
    -------
    pyarrow.Table
        Up to ``COPIES`` events for each customer and kind.

    Examples
    --------
    >>> from churnguard.events.schema import empty_events
    >>> plant(empty_events(), ["a"], 0, what="late").num_rows
    0
    """
    if not events.num_rows or not customer_ids:
        return EVENT_SCHEMA.empty_table()
    chance = np.random.default_rng(seed)
    names = events["event"].cast(pa.string())
    wanted = sorted({*pc.unique(names).to_pylist(), *KNOWN_EVENTS} if kinds is None else kinds)
    each = len(customer_ids) * COPIES
    patterns = np.concatenate([_patterns(names, kind, each, chance) for kind in wanted])
    rows = events.select(EVENT_SCHEMA.names).take(pa.array(patterns))
    occurred, received = _clocks(cutoff_us, len(patterns), what, chance)
    owner = np.tile(np.repeat(np.arange(len(customer_ids)), COPIES), len(wanted))
    strange = np.arange(len(patterns)) % COPIES == 1
    columns = {name: rows[name] for name in EVENT_SCHEMA.names} | {
        "event_id": pa.array([f"planted-{what}-{cutoff_us}-{n}" for n in range(len(patterns))]),
        "customer_id": pa.array(customer_ids, pa.string()).take(pa.array(owner)),
        "event": pa.array(np.repeat(wanted, each).tolist(), pa.string()).dictionary_encode(),
        "occurred_at": pa.array(occurred).cast(pa.timestamp("us", tz="UTC")),
        "received_at": pa.array(received).cast(pa.timestamp("us", tz="UTC")),
    }
    for name, number in _STRANGE.items():
        plain = pa.scalar(number, EVENT_SCHEMA.field(name).type)
        columns[name] = pc.if_else(pa.array(strange), plain, columns[name])
    kept = pa.array(chance.random(len(patterns)) >= _LEFT_OUT)
    return pa.table(columns).cast(EVENT_SCHEMA).filter(kept)


def _patterns(names: pa.ChunkedArray, kind: str, count: int, chance: np.random.Generator) -> Ints:
    """Return which events the planted ones of a kind are made of: of that kind where there are."""
    there = np.flatnonzero(pc.equal(names, kind).to_numpy())
    return chance.choice(there if len(there) else len(names), count)


def _clocks(
    cutoff_us: int, count: int, what: Planted, chance: np.random.Generator
) -> tuple[Ints, Ints]:
    """Return when planted events occurred and when they were received."""
    delay = chance.choice(_DELAY, count)
    if what == "late":
        return cutoff_us - chance.choice(_BEFORE, count), cutoff_us + delay
    occurred = cutoff_us + chance.choice(_AFTER, count)
    announced = chance.random(count) < 1 / 3
    return occurred, np.where(announced, cutoff_us - _HOUR_US, occurred + delay)
