"""Orders and spend: how much, how often, and how that compares with the customer's own past."""

from __future__ import annotations

from churnguard.features.rows import EventRows, Floats, Rows, ratio
from churnguard.features.signal import signal
from churnguard.features.units import MONEY, ORDERS, TIMES

_NEEDS = ("order_completed",)
_NONE_EN = "No order in the last 365 days"
_NONE_HE = "אין הזמנות ב-365 הימים האחרונים"
_NEW_EN = "No orders in the nine months before the last 90 days to compare with"
_NEW_HE = "אין הזמנות להשוואה בתשעת החודשים שלפני 90 הימים האחרונים"


def _orders(rows: Rows) -> EventRows:
    return rows.events("order_completed")


@signal(
    unit=ORDERS,
    direction=-1,
    needs=_NEEDS,
    en="{orders_total} in all",
    he="{orders_total} בסך הכול",
    zero_en="No order on record",
    zero_he="לא נרשמה הזמנה",
)
def orders_total(rows: Rows) -> Floats:
    """Orders ever."""
    return _orders(rows).count()


@signal(
    unit=ORDERS,
    direction=-1,
    needs=_NEEDS,
    en="{orders_{days}d} in the last {days} days",
    he="{orders_{days}d} ב-{days} הימים האחרונים",
)
def orders(rows: Rows, days: int) -> Floats:
    """Orders in the last {days} days."""
    return _orders(rows).count(days)


@signal(
    unit=MONEY,
    direction=-1,
    needs=_NEEDS,
    en="Spent {spend_{days}d} in the last {days} days",
    he="הוצאה של {spend_{days}d} ב-{days} הימים האחרונים",
    zero_en="Spent nothing in the last {days} days",
    zero_he="לא נרשמה הוצאה ב-{days} הימים האחרונים",
)
def spend(rows: Rows, days: int) -> Floats:
    """Value of orders in the last {days} days, refunds not taken off."""
    return _orders(rows).sum("value", days)


@signal(
    unit=MONEY,
    direction=-1,
    needs=_NEEDS,
    windows=(365,),
    en="Net spend of {net_spend_{days}d} in the last {days} days, after refunds",
    he="הוצאה נטו של {net_spend_{days}d} ב-{days} הימים האחרונים, בניכוי החזרים",
    zero_en="No spend in the last {days} days, after refunds",
    zero_he="לא נרשמה הוצאה ב-{days} הימים האחרונים, בניכוי החזרים",
)
def net_spend(rows: Rows, days: int) -> Floats:
    """Value of orders in the last {days} days, less that of refunds and cancellations."""
    refunded = rows.events("order_refunded").sum("value", days)
    cancelled = rows.events("order_cancelled").sum("value", days)
    return _orders(rows).sum("value", days) - refunded - cancelled


@signal(
    unit=MONEY,
    needs=_NEEDS,
    windows=(365,),
    en="An order comes to {order_value_mean_{days}d} on average",
    he="הזמנה מסתכמת בממוצע ב-{order_value_mean_{days}d}",
    missing_en=_NONE_EN,
    missing_he=_NONE_HE,
)
def order_value_mean(rows: Rows, days: int) -> Floats:
    """Mean value of the orders of the last {days} days."""
    return _orders(rows).mean("value", days)


@signal(
    unit=MONEY,
    needs=_NEEDS,
    windows=(365,),
    en="A usual order comes to {order_value_median_{days}d}",
    he="הזמנה רגילה מסתכמת ב-{order_value_median_{days}d}",
    missing_en=_NONE_EN,
    missing_he=_NONE_HE,
)
def order_value_median(rows: Rows, days: int) -> Floats:
    """Median value of the orders of the last {days} days."""
    return _orders(rows).median("value", days)


@signal(
    unit=MONEY,
    needs=_NEEDS,
    usual="order_value_median_365d",
    en="The last order came to {order_value_last}",
    he="ההזמנה האחרונה הסתכמה ב-{order_value_last}",
    missing_en="The last order's value is not known",
    missing_he="סכום ההזמנה האחרונה אינו ידוע",
)
def order_value_last(rows: Rows) -> Floats:
    """Value of the last order."""
    return _orders(rows).last("value")


@signal(
    unit=TIMES,
    direction=-1,
    needs=_NEEDS,
    en="{orders_90d} in the last 90 days, {order_ratio_90d}",
    he="{orders_90d} ב-90 הימים האחרונים, {order_ratio_90d}",
    zero_en="No orders in the last 90 days, unlike before",
    zero_he="אין הזמנות ב-90 הימים האחרונים, בשונה מבעבר",
    missing_en=("{orders_90d} in the last 90 days, none in the nine months before", _NEW_EN),
    missing_he=("{orders_90d} ב-90 הימים האחרונים, וללא הזמנות בתשעת החודשים שקדמו להם", _NEW_HE),
)
def order_ratio_90d(rows: Rows) -> Floats:
    """Orders in the last 90 days, against the mean of the three 90 days before."""
    return ratio(_orders(rows).count(90), _orders(rows).count(360, until=90) / 3)


@signal(
    unit=TIMES,
    direction=-1,
    needs=_NEEDS,
    en="Spent {spend_90d} in the last 90 days, {spend_ratio_90d}",
    he="הוצאה של {spend_90d} ב-90 הימים האחרונים, {spend_ratio_90d}",
    zero_en="Spent nothing in the last 90 days, unlike before",
    zero_he="לא נרשמה הוצאה ב-90 הימים האחרונים, בשונה מבעבר",
    missing_en=_NEW_EN,
    missing_he=_NEW_HE,
)
def spend_ratio_90d(rows: Rows) -> Floats:
    """Spend in the last 90 days, against the mean of the three 90 days before."""
    return ratio(_orders(rows).sum("value", 90), _orders(rows).sum("value", 360, until=90) / 3)
