"""The customer book: what a shop says about a customer beside the events.

Consent is what the shop can show; unknown (null) means not contactable.
"""

from __future__ import annotations

import pyarrow as pa

CHANNELS = ("email", "sms", "phone", "push")
"""Channels for which consent is kept, as ``consent_<channel>``."""

CUSTOMER_SCHEMA = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("created_at", pa.timestamp("us", tz="UTC")),
        pa.field("locale", pa.string()),
        *(pa.field(f"consent_{channel}", pa.bool_()) for channel in CHANNELS),
        pa.field("consent_at", pa.timestamp("us", tz="UTC")),
        pa.field("opt_out_profiling", pa.bool_()),
        pa.field("exclude", pa.bool_()),
    ]
)
"""Columns of the customer book: null is unknown; ``exclude`` marks staff and test accounts."""

BOOK_SCHEMA = CUSTOMER_SCHEMA.append(pa.field("restricted", pa.bool_()))
"""The book as it is read: also who may be kept, but not used; see ``jobs.privacy``."""


def empty_customers() -> pa.Table:
    """Return a customer book without customers.

    Examples
    --------
    >>> empty_customers().num_rows
    0
    """
    return CUSTOMER_SCHEMA.empty_table()
