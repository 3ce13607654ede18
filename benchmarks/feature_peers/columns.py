"""The 60 columns that every side computes, and the instants at which their windows begin and end.

45 columns are counts, sums, newest events and ratios of such; 15 need the window's own events.
Every column is float64 or a whole number; null or NaN where there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Sequence

DAY_US = 86_400_000_000
WINDOWS = (30, 90, 180, 365)
BACK = (0, 30, 90, 180, 360, 365)
"""Where the windows of the 45 columns begin and end, in days before the cutoff."""

COUNTED = {
    "orders": "order_completed",
    "views": "product_viewed",
    "logins": "signed_in",
    "searches": "products_searched",
    "emails": "email_opened",
}
SINCE = {
    "order": "orders",
    "view": "views",
    "login": "logins",
    "search": "searches",
    "email": "emails",
}

SEARCHED = (
    *(f"{name}_{days}d" for name in COUNTED for days in WINDOWS),
    *(f"spend_{days}d" for days in WINDOWS),
    *(f"refunded_{days}d" for days in WINDOWS),
    "units_90d",
    "units_365d",
    *(f"days_since_{name}" for name in SINCE),
    "days_since_first_order",
    "last_order_value",
    "mean_order_value_365d",
    "orders_ratio_90d",
    "spend_ratio_90d",
    "views_ratio_30d",
    "emails_ratio_90d",
    "refund_share_365d",
    "refunds_180d",
    "tickets_180d",
)
"""Columns by binary search and prefix sums, or whatever a side has instead."""

SCANNED = (
    "products_ordered_90d",
    "products_ordered_365d",
    "categories_ordered_365d",
    "products_viewed_30d",
    "products_viewed_90d",
    "median_order_value_365d",
    "median_viewed_value_90d",
    "order_value_trend_365d",
    "fruitless_streak_90d",
    "order_gap_median",
    "order_gap_sd",
    "order_gap_longest",
    "login_gap_median",
    "login_gap_longest",
    "login_gap_spread",
)
"""Columns that need the events of the window one by one."""

COLUMNS = (*SEARCHED, *SCANNED)
assert (len(SEARCHED), len(SCANNED)) == (45, 15)


def bounds(cutoffs: Sequence[int]) -> list[int]:
    """Return every instant at which a window of the 45 columns begins or ends, sorted.

    A peer that first adds up events between neighbouring instants needs each event once only,
    however many cutoffs there are.
    """
    return sorted({cutoff - days * DAY_US for cutoff in cutoffs for days in BACK})
