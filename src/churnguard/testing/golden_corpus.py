"""A small event log that holds whatever is hard: for tests that two ways give the same bits.

Ties in time, nulls in every column that may be null, events that were told late, instants on both
sides of a change of clocks, money with more digits than are kept, and ids in several scripts.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from churnguard.clock import parse_instant
from churnguard.events.schema import KNOWN_EVENTS
from churnguard.testing.builders import NOON, build_events

GOLDEN_ZONE = "Asia/Jerusalem"
"""The shop's time zone: its clocks change on 2026-03-27 and on 2026-10-25."""

_DAYS = 600
_LATEST_DAYS = 40
_NAMES = ("C{}", "c{}", "ל{}", "Ω-{}", "é {}", "{}", "客{}")
_CHANGES = ("2026-03-27T01:59:59.999999", "2026-03-27T03:00", "2026-10-25T01:30", "2026-10-25")
_ORDERS = ("order_completed", "product_ordered", "signed_in", "product_added")


def golden_cutoffs() -> list[datetime]:
    """Return cutoffs that lie on the changes of clocks, between microseconds, and open ones.

    Examples
    --------
    >>> golden_cutoffs()[0].isoformat()
    '2026-03-26T22:00:00+00:00'
    """
    days = [parse_instant(text, GOLDEN_ZONE) for text in ("2026-03-27", "2026-10-25")]
    return [*days, datetime(2026, 5, 1, 7, 8, 9, 123457, UTC)]


def golden_corpus(customers: int = 60, *, seed: int = 3) -> pa.Table:
    """Return the events, in no order.

    Parameters
    ----------
    customers : int
        How many; each has up to about 60 events.
    seed : int
        The same seed gives the same events.

    Examples
    --------
    >>> golden_corpus(2).num_rows > 20
    True
    """
    draw = random.Random(seed)  # noqa: S311
    names = [_NAMES[number % len(_NAMES)].format(number) for number in range(customers)]
    rows = [row for name in names for row in _events(name, draw)]
    draw.shuffle(rows)
    return build_events(rows)


def _events(customer: str, draw: random.Random) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number in range(draw.randrange(12, 60)):
        tied = bool(rows) and draw.random() < 0.2
        occurred = rows[-1]["occurred_at"] if tied else _instant(draw)
        late = (
            timedelta(days=draw.uniform(0, _LATEST_DAYS)) if draw.random() < 0.15 else timedelta()
        )
        rows.append(
            {
                "event_id": f"{customer}/{draw.randrange(10**9)}-{number}",
                "customer_id": customer,
                "event": draw.choice(_ORDERS if draw.random() < 0.5 else sorted(KNOWN_EVENTS)),
                "occurred_at": occurred,
                "received_at": occurred + late,
                "clock": draw.choice(("true", "assumed")),
                **_facts(draw),
            }
        )
    return rows


def _instant(draw: random.Random) -> datetime:
    if draw.random() < 0.1:
        return parse_instant(draw.choice(_CHANGES), GOLDEN_ZONE).astimezone(UTC)
    return NOON - timedelta(microseconds=draw.randrange(1, _DAYS * 86_400_000_000))


def _facts(draw: random.Random) -> dict[str, Any]:
    """Return the columns that may be null, each of them null one time in four."""
    facts = {
        "value": draw.choice((0.0, 9.0, 0.00005, 12.34567, round(draw.uniform(0, 300), 2))),
        "quantity": draw.randrange(4),
        "order_id": f"o{draw.randrange(40)}",
        "cart_id": f"k{draw.randrange(9)}",
        "session_id": f"s{draw.randrange(99)}",
        "product_id": f"מוצר-{draw.randrange(12)}",
        "category": draw.choice(("tea", "oil", "soap")),
        "currency": "ILS",
        "kind": draw.choice(("nps", "csat", "ces", "delivery")),
        "discount": round(draw.uniform(0, 9), 3),
        "properties": '{"a": 1}',
    }
    return {name: value for name, value in facts.items() if draw.random() < 0.75} | (
        {} if draw.random() < 0.75 else {"value": None}
    )
