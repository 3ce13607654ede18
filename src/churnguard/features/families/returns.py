"""Returns: refunds and cancellations, by number, value and share of what was bought."""

from __future__ import annotations

from churnguard.features.rows import Floats, Rows, ratio
from churnguard.features.signal import signal
from churnguard.features.units import CANCELLATIONS, DAYS, MONEY, REFUNDS, SHARE

_REFUNDS = ("order_refunded",)
_CANCELLED = ("order_cancelled",)


@signal(
    unit=REFUNDS,
    direction=1,
    needs=_REFUNDS,
    windows=(180,),
    en="{refunds_{days}d} in the last {days} days",
    he="{refunds_{days}d} ב-{days} הימים האחרונים",
)
def refunds(rows: Rows, days: int) -> Floats:
    """Refunds in the last {days} days."""
    return rows.events("order_refunded").count(days)


@signal(
    unit=MONEY,
    direction=1,
    needs=_REFUNDS,
    windows=(365,),
    en="{refund_value_{days}d} refunded in the last {days} days",
    he="החזרים בסך {refund_value_{days}d} ב-{days} הימים האחרונים",
    zero_en="Nothing refunded in the last {days} days",
    zero_he="אין החזרים ב-{days} הימים האחרונים",
)
def refund_value(rows: Rows, days: int) -> Floats:
    """Value of refunds in the last {days} days."""
    return rows.events("order_refunded").sum("value", days)


@signal(
    unit=SHARE,
    direction=1,
    needs=("order_completed", "order_refunded"),
    windows=(365,),
    en="{refund_share_{days}d} of spend was refunded in the last {days} days",
    he="{refund_share_{days}d} מההוצאה הוחזרו ב-{days} הימים האחרונים",
    zero_en="Nothing refunded in the last {days} days",
    zero_he="אין החזרים ב-{days} הימים האחרונים",
    missing_en="Nothing bought in the last {days} days",
    missing_he="אין רכישות ב-{days} הימים האחרונים",
)
def refund_share(rows: Rows, days: int) -> Floats:
    """Value of refunds as a share of the value of orders, both in the last {days} days."""
    spent = rows.events("order_completed").sum("value", days)
    return ratio(rows.events("order_refunded").sum("value", days), spent)


@signal(
    unit=DAYS,
    needs=_REFUNDS,
    en="Last refund {days_since_refund} ago",
    he="החזר אחרון לפני {days_since_refund}",
    missing_en="No refund on record",
    missing_he="לא נרשמו החזרים",
)
def days_since_refund(rows: Rows) -> Floats:
    """Days since the last refund."""
    return rows.events("order_refunded").since_last()


@signal(
    unit=CANCELLATIONS,
    direction=1,
    needs=_CANCELLED,
    windows=(180,),
    en="{cancellations_{days}d} in the last {days} days",
    he="{cancellations_{days}d} ב-{days} הימים האחרונים",
)
def cancellations(rows: Rows, days: int) -> Floats:
    """Cancelled orders in the last {days} days."""
    return rows.events("order_cancelled").count(days)
