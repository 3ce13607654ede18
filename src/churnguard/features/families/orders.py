"""Orders and spend: how much, how often, and how that compares with before."""

from __future__ import annotations

from churnguard.features.rows import Floats, Rows
from churnguard.features.signal import signal
from churnguard.features.units import MONEY, ORDERS

_NEEDS = ("order_completed",)
_NONE = {"missing_en": "No order yet", "missing_he": "עדיין אין הזמנה"}


@signal(
    unit=ORDERS,
    direction=-1,
    needs=_NEEDS,
    en="{orders_total} in all",
    he="{orders_total} בסך הכול",
)
def orders_total(rows: Rows) -> Floats:
    """Orders ever."""
    return rows.events("order_completed").count()


@signal(
    unit=ORDERS,
    direction=-1,
    needs=_NEEDS,
    en="{orders_{days}d} in the last {days} days",
    he="{orders_{days}d} ב-{days} הימים האחרונים",
)
def orders(rows: Rows, days: int) -> Floats:
    """Orders in the last {days} days."""
    return rows.events("order_completed").count(days)


@signal(
    unit=MONEY,
    direction=-1,
    needs=_NEEDS,
    en="Spent {spend_{days}d} in the last {days} days",
    he="הוצאה של {spend_{days}d} ב-{days} הימים האחרונים",
)
def spend(rows: Rows, days: int) -> Floats:
    """Value of orders in the last {days} days, refunds not taken off."""
    return rows.events("order_completed").sum("value", days)


@signal(
    unit=MONEY,
    direction=-1,
    needs=_NEEDS,
    windows=(365,),
    en="Spent {net_spend_{days}d} in the last {days} days, refunds taken off",
    he="הוצאה של {net_spend_{days}d} ב-{days} הימים האחרונים, בניכוי החזרים",
)
def net_spend(rows: Rows, days: int) -> Floats:
    """Value of orders in the last {days} days, less that of refunds and cancellations."""
    spent = rows.events("order_completed").sum("value", days)
    refunded = rows.events("order_refunded").sum("value", days)
    return spent - refunded - rows.events("order_cancelled").sum("value", days)
