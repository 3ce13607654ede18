"""The event table: one schema, stated once, for files, store, history and kernel.

An event is one row: who, what, when it occurred, when we were told, and the few typed facts that
signals may read. Everything else goes into ``properties``, which no signal reads.
"""

from __future__ import annotations

import pyarrow as pa

_TEXT = pa.string()
_WORD = pa.dictionary(pa.int32(), pa.string())
_INSTANT = pa.timestamp("us", tz="UTC")

EVENT_SCHEMA = pa.schema(
    [
        pa.field("event_id", _TEXT, nullable=False),
        pa.field("customer_id", _TEXT, nullable=False),
        pa.field("event", _WORD, nullable=False),
        pa.field("occurred_at", _INSTANT, nullable=False),
        pa.field("received_at", _INSTANT, nullable=False),
        pa.field("clock", _WORD, nullable=False),
        pa.field("value", pa.float64()),
        pa.field("quantity", pa.int64()),
        pa.field("order_id", _TEXT),
        pa.field("cart_id", _TEXT),
        pa.field("session_id", _TEXT),
        pa.field("product_id", _TEXT),
        pa.field("category", _TEXT),
        pa.field("currency", _TEXT),
        pa.field("kind", _TEXT),
        pa.field("discount", pa.float64()),
        pa.field("properties", _TEXT),
    ]
)
"""Columns of the event table, in order."""

CLOCKS = ("true", "assumed")
"""How ``received_at`` came about: stamped by us, or assumed as ``occurred_at + known_lag``."""

KNOWN_EVENTS = frozenset(
    {
        "order_completed",
        "order_refunded",
        "order_cancelled",
        "product_ordered",
        "product_viewed",
        "product_added",
        "product_removed",
        "cart_viewed",
        "checkout_started",
        "products_searched",
        "signed_in",
        "coupon_applied",
        "email_opened",
        "email_link_clicked",
        "unsubscribed",
        "survey_answered",
        "support_ticket_opened",
        "support_ticket_closed",
        "product_reviewed",
        "subscription_started",
        "subscription_renewed",
        "subscription_cancelled",
    }
)
"""Event names that ChurnGuard's own signals read; the set is open, others are kept as they are."""

MONEY_SCALE = 10_000
"""Money inside the kernel is int64 in 1/10,000 of the currency unit."""


def empty_events() -> pa.Table:
    """Return an event table without rows.

    Examples
    --------
    >>> empty_events().num_rows, empty_events().column_names[:3]
    (0, ['event_id', 'customer_id', 'event'])
    """
    return EVENT_SCHEMA.empty_table()
