"""Sees at a glance that an event is fine; whatever leaves a doubt is judged in full.

Judging whole columns costs ten milliseconds however few rows there are, and a request often brings
one. This look costs microseconds. It states no rule of its own: it passes only rows of which the
full judgement would make the very same event, which ``tests/properties`` holds against it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import orjson

from churnguard.clock import to_us
from churnguard.events.times import EARLIEST
from churnguard.events.validation import (
    FUTURE_ALLOWANCE,
    ID_LENGTH,
    LARGEST,
    PROPERTIES_LENGTH,
    REMOVED,
    TEXT_LENGTH,
)

EventRow = tuple[Any, ...]
"""An event's values in the order of ``EVENT_SCHEMA``, instants as microseconds."""

_INSTANT = re.compile(
    r"[12]\d{3}-\d\d-\d\d[T ][0-2]\d:\d\d:\d\d(\.\d{3}(\d{3})?)?(Z|[+-][01]\d:\d\d)", re.ASCII
)
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MONEY = frozenset({int, float})
TEXTS = (
    ("order_id", ID_LENGTH),
    ("cart_id", ID_LENGTH),
    ("session_id", ID_LENGTH),
    ("product_id", ID_LENGTH),
    ("category", TEXT_LENGTH),
    ("currency", TEXT_LENGTH),
    ("kind", TEXT_LENGTH),
)


class QuickLook:
    """Makes events of rows that are plainly fine.

    Parameters
    ----------
    now : datetime
        Against which the future is told.
    currency : str
        The shop's.
    received : int, optional
        When we were told, in microseconds; a true clock. If left out, the clock is assumed.
    lag_us : int
        How long after it occurred an event was known, where the clock is assumed.

    Examples
    --------
    >>> look = QuickLook(datetime(2026, 11, 21, tzinfo=UTC), "EUR", received=0)
    >>> row = {"event_id": "e1", "customer_id": "C1", "event": "signed_in",
    ...        "occurred_at": "2026-11-20T08:00:00Z"}
    >>> look(row)[:6]
    ('e1', 'C1', 'signed_in', 1795161600000000, 0, 'true')
    >>> look(row | {"occurred_at": "yesterday"}) is None
    True
    """

    def __init__(
        self, now: datetime, currency: str, *, received: int | None, lag_us: int = 0
    ) -> None:
        self._latest = to_us(now + FUTURE_ALLOWANCE)
        self._currencies = (None, currency)
        self._received = received
        self._lag = lag_us

    def __call__(self, row: Mapping[str, Any]) -> EventRow | None:
        """Return the row's event, or None where a closer look is needed."""
        get = row.get
        event_id, event = get("event_id"), get("event")
        customer_id: Any = get("customer_id")
        occurred = instant(get("occurred_at"))
        value, quantity, discount = get("value"), get("quantity"), get("discount")
        texts = [get(name) for name, _ in TEXTS]
        properties = packed(get("properties"))
        if not (
            _is_sound(event_id, ID_LENGTH)
            and _is_sound(customer_id, ID_LENGTH)
            and customer_id[0] not in "+(0"  # a telephone number may begin like this
            and type(event) is str
            and NAME.fullmatch(event)
            and EARLIEST_US <= occurred <= self._latest
            and _is_amount(value)
            and _is_amount(quantity)
            and _is_amount(discount)
            and _are_sound(texts)
            and texts[_CURRENCY] in self._currencies
            and properties is not DOUBTFUL
        ):
            return None
        received, clock = self._received, "true"
        if received is None:
            if get("received_at") is not None or get("clock") is not None:
                return None
            received, clock = occurred + self._lag, "assumed"
        return (
            event_id, customer_id, event, occurred, received, clock,
            None if value is None else value + 0.0,  # which makes a zero of -0.0
            None if quantity is None else ceil(quantity),
            *texts,
            None if discount is None else discount + 0.0,
            properties,
        )  # fmt: skip


DOUBTFUL = object()
EARLIEST_US = to_us(EARLIEST)
_CURRENCY = [name for name, _ in TEXTS].index("currency")


def _is_sound(text: Any, longest: int) -> bool:
    """Tell if a text is there, and is stored as it is; mail addresses hold an @."""
    return (
        type(text) is str
        and 0 < len(text) <= longest
        and text.isprintable()
        and "@" not in text
        and text[0] != " " != text[-1]
        and text != REMOVED
    )


def _are_sound(texts: Sequence[Any]) -> bool:
    """Tell if all those of the optional texts that are there are sound."""
    for text, (_, longest) in zip(texts, TEXTS, strict=True):
        if text is not None and not _is_sound(text, longest):
            return False
    return True


def _is_amount(value: Any) -> bool:
    return value is None or (type(value) in _MONEY and 0 <= value <= LARGEST)


def instant(text: Any) -> int:
    """Return an instant that is written in full, with its zone, as microseconds; 0 for others."""
    if type(text) is not str or _INSTANT.fullmatch(text) is None:
        return 0
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return 0


def packed(properties: Any) -> Any:
    """Return properties as the text that is stored, or that there is a doubt about them."""
    if properties is None:
        return None
    text = orjson.dumps(properties).decode() if type(properties) is dict else "@"
    return DOUBTFUL if "@" in text or len(text) > PROPERTIES_LENGTH else text
