"""Browsing: whether the customer still looks at products, and at as many as usual."""

from __future__ import annotations

from churnguard.features.rows import EventRows, Floats, Rows, ratio
from churnguard.features.signal import signal
from churnguard.features.units import DAYS, TIMES, VIEWS

_NEEDS = ("product_viewed",)


def _views(rows: Rows) -> EventRows:
    return rows.events("product_viewed")


@signal(
    unit=VIEWS,
    direction=-1,
    needs=_NEEDS,
    windows=(30,),
    en="{views_{days}d} in the last {days} days",
    he="{views_{days}d} ב-{days} הימים האחרונים",
)
def views(rows: Rows, days: int) -> Floats:
    """Product views in the last {days} days."""
    return _views(rows).count(days)


@signal(
    unit=TIMES,
    direction=-1,
    needs=_NEEDS,
    en="{views_30d} in the last 30 days, {view_ratio_30d}",
    he="{views_30d} ב-30 הימים האחרונים, {view_ratio_30d}",
    zero_en="No product views in the last 30 days, unlike before",
    zero_he="אין צפיות במוצרים ב-30 הימים האחרונים, בשונה מבעבר",
    missing_en="{views_30d} in the last 30 days",
    missing_he="{views_30d} ב-30 הימים האחרונים",
)
def view_ratio_30d(rows: Rows) -> Floats:
    """Product views in the last 30 days, against the mean of the five 30 days before."""
    return ratio(_views(rows).count(30), _views(rows).count(180, until=30) / 5)


@signal(
    unit=DAYS,
    direction=1,
    needs=_NEEDS,
    en="Last looked at a product {days_since_view} ago",
    he="צפייה אחרונה במוצר לפני {days_since_view}",
    missing_en="No product views on record",
    missing_he="לא נרשמו צפיות במוצרים",
)
def days_since_view(rows: Rows) -> Floats:
    """Days since a product was last viewed."""
    return _views(rows).since_last()
