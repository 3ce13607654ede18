"""A small made-up shop that holds what breaks signals: ties, nulls, late events, empty customers.

The contract of signals runs on it, and so does the question which signals a shop's columns carry.
Customers: two with everything, one without any optional column, one whose events all came late,
one with a single order, and one with nothing but an event that no signal knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from churnguard.clock import DAY_US
from churnguard.events.schema import EVENT_SCHEMA, KNOWN_EVENTS
from churnguard.features.population import PARAMETERS, Population

SPAN_DAYS = 600
CUTOFFS = tuple(days * DAY_US for days in (40, 200, 430, 431, 600))
"""Microseconds since the shop began; events lie on each of them, and after all but the last."""

STRANGER = "not_known_to_any_signal"
"""The only event of the customer of whom nothing else is known."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "kind": ("nps", "csat", "ces", "delivery"),
    "category": ("garden", "kitchen", "premium"),
    "product_id": ("p1", "p2", "p3", "p4"),
    "cart_id": ("c1", "c2"),
    "order_id": ("o1", "o2", "o3", "o4", "o5"),
    "session_id": ("s1", "s2", "s3"),
}
"""Words that its columns hold; others may be added for signals that look for them."""

_FITS = {
    "bgnbd_r": (0.4, 0.5),
    "bgnbd_alpha": (20.0, 30.0),
    "bgnbd_a": (0.8, 0.7),
    "bgnbd_b": (2.5, 2.0),
    "mbgnbd_r": (0.5, 0.6),
    "mbgnbd_alpha": (25.0, 35.0),
    "mbgnbd_a": (0.6, 0.9),
    "mbgnbd_b": (2.0, 2.5),
    "gamma_p": (6.0, 5.0),
    "gamma_q": (4.0, 3.5),
    "gamma_v": (15.0, 20.0),
}
POPULATION = Population(
    np.array([0, 300 * DAY_US]),
    ("1970-01-01", "1970-10-28"),
    np.array([[_FITS[name][place] for name in PARAMETERS] for place in (0, 1)]),
)
"""Fits for signals that are built on the population."""

_EACH = 12
_HOUR_US = DAY_US // 24
_DELAYS = (0, 0, 0, 0, 1, _HOUR_US, 3 * DAY_US, 60 * DAY_US)
_VALUES = (None, 0.0, 0.0, 1.0, 9.99, 12.5, 80.0, 0.00005)
_UNITS = (None, 1, 1, 2, 5)
_MONEY_OFF = (None, 0.0, 0.5, 2.0)


def specimen_events(kinds: Iterable[str] = (), words: Iterable[tuple[str, str]] = ()) -> pa.Table:
    """Return the shop's events, the same at every call.

    Parameters
    ----------
    kinds : iterable of str
        Kinds of event besides those that ChurnGuard knows.
    words : iterable of (column, word)
        Words besides :data:`WORDS`.

    Returns
    -------
    pyarrow.Table
        In ``EVENT_SCHEMA``, sorted by nothing.

    Examples
    --------
    >>> events = specimen_events()
    >>> events.num_rows > 500, len(set(events["customer_id"].to_pylist()))
    (True, 6)
    """
    pool: dict[str, list[str | None]] = {name: [None, *known] for name, known in WORDS.items()}
    for column, word in sorted(set(words)):
        if column in pool and word not in pool[column]:
            pool[column].append(word)
    chance = np.random.default_rng(7)
    rows: list[dict[str, Any]] = []
    for kind in sorted({*KNOWN_EVENTS, *kinds}):
        for customer in ("full-1", "full-2", "bare", "late"):
            rows += [_event(customer, kind, at, pool, chance) for at in _instants(chance)]
    rows.append(_event("one-order", "order_completed", 100 * DAY_US, pool, chance))
    rows.append(_event("stranger", STRANGER, 10 * DAY_US, pool, chance))
    named = [row | {"event_id": f"e{place:04}"} for place, row in enumerate(rows)]
    order = chance.permutation(len(named))
    return pa.Table.from_pylist([named[place] for place in order], schema=EVENT_SCHEMA)


def _instants(chance: np.random.Generator) -> list[int]:
    """Return instants on a grid of six hours, so that some are the same, and one on a cutoff."""
    grid = chance.integers(0, SPAN_DAYS * 4, _EACH) * (6 * _HOUR_US)
    near = chance.integers(420 * 4, 432 * 4, 3) * (6 * _HOUR_US)
    return [*grid.tolist(), *near.tolist(), CUTOFFS[int(chance.integers(len(CUTOFFS)))]]


def _event(
    customer: str,
    kind: str,
    at: int,
    pool: Mapping[str, list[str | None]],
    chance: np.random.Generator,
) -> dict[str, Any]:
    def one(values: Any) -> Any:
        return values[int(chance.integers(len(values)))]

    delay = 90 * DAY_US if customer == "late" else one(_DELAYS)
    event = dict.fromkeys(EVENT_SCHEMA.names) | {
        "customer_id": customer,
        "event": kind,
        "occurred_at": at,
        "received_at": at + delay,
        "clock": "true",
    }
    if customer == "bare":
        return event
    numbers = {"value": one(_VALUES), "quantity": one(_UNITS), "discount": one(_MONEY_OFF)}
    return event | numbers | {name: one(words) for name, words in pool.items()}
