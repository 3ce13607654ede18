"""Tenure: how long the customer has been with the shop, and how they began."""

from __future__ import annotations

from churnguard.features.rows import Floats, Rows, days_between, ratio
from churnguard.features.signal import signal
from churnguard.features.units import DAYS, NUMBER

_NEEDS = ("order_completed",)
_NONE_EN = "No order on record"
_NONE_HE = "לא נרשמה הזמנה"


@signal(
    unit=DAYS,
    direction=-1,
    needs=_NEEDS,
    en="First order {days_since_first_order} ago",
    he="הזמנה ראשונה לפני {days_since_first_order}",
    missing_en=_NONE_EN,
    missing_he=_NONE_HE,
)
def days_since_first_order(rows: Rows) -> Floats:
    """Days since the first order."""
    return rows.events("order_completed").since_first()


@signal(
    unit=DAYS,
    direction=1,
    needs=_NEEDS,
    en="The second order came {days_first_to_second_order} after the first",
    he="ההזמנה השנייה הגיעה {days_first_to_second_order} אחרי הראשונה",
    missing_en="No second order so far",
    missing_he="עדיין לא נרשמה הזמנה שנייה",
)
def days_first_to_second_order(rows: Rows) -> Floats:
    """Days from the first order to the second, those within a day of the first not counted."""
    visits = rows.events("order_completed").visits()
    return days_between(visits.first_at(), visits.first_at(nth=2))


@signal(
    unit=NUMBER,
    direction=-1,
    needs=_NEEDS,
    en="Orders a month since the first: {orders_per_month}",
    he="הזמנות בחודש מאז ההזמנה הראשונה: {orders_per_month}",
    missing_en=_NONE_EN,
    missing_he=_NONE_HE,
)
def orders_per_month(rows: Rows) -> Floats:
    """Orders per 30 days since the first one, counted over at least 30 days."""
    orders = rows.events("order_completed")
    return ratio(orders.count(), orders.since_first().clip(min=30.0) / 30.0)
