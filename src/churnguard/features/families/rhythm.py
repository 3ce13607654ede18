"""Recency and rhythm: how long the customer has been silent, against the customer's own habit.

Events less than a day after the start of a visit belong to it; gaps are those between visits.
"""

from __future__ import annotations

from churnguard.features.rows import Floats, Rows, ratio
from churnguard.features.signal import signal
from churnguard.features.units import DAYS, TIMES

_ORDERS = ("order_completed",)


@signal(
    unit=DAYS,
    direction=1,
    needs=_ORDERS,
    usual="order_gap_median",
    en="Last order {days_since_order} ago; usually every {order_gap_median}",
    he="הזמנה אחרונה לפני {days_since_order}; בדרך כלל כל {order_gap_median}",
    missing_en="Last order {days_since_order} ago",
    missing_he="הזמנה אחרונה לפני {days_since_order}",
)
def days_since_order(rows: Rows) -> Floats:
    """Days since the last order."""
    return rows.events("order_completed").since_last()


@signal(
    unit=DAYS,
    needs=_ORDERS,
    en="Usually orders every {order_gap_median}",
    he="בדרך כלל מזמין כל {order_gap_median}",
)
def order_gap_median(rows: Rows) -> Floats:
    """Median days between orders, over all of the customer's history."""
    return rows.events("order_completed").visits().gaps().median()


@signal(
    unit=TIMES,
    direction=1,
    needs=_ORDERS,
    en="Last order {days_since_order} ago; usually every {order_gap_median}",
    he="הזמנה אחרונה לפני {days_since_order}; בדרך כלל כל {order_gap_median}",
)
def order_gap_ratio(rows: Rows) -> Floats:
    """Days since the last order, as a multiple of the customer's own median gap."""
    return ratio(days_since_order(rows), order_gap_median(rows))
