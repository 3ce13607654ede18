"""Products: whether the customer still finds something new, or comes back for the same."""

from __future__ import annotations

from churnguard.features.rows import EventRows, Floats, Rows, ratio
from churnguard.features.signal import signal
from churnguard.features.units import CATEGORIES, DAYS, SHARE, TIMES

_NEEDS = ("order_completed", "product_ordered")
_NONE_EN = "Nothing bought in the last {days} days"
_NONE_HE = "אין רכישות ב-{days} הימים האחרונים"


def _lines(rows: Rows) -> EventRows:
    return rows.events("product_ordered").known("product_id")


@signal(
    unit=SHARE,
    needs=_NEEDS,
    windows=(90,),
    en="{new_product_share_{days}d} of purchases in the last {days} days were first-time products",
    he="{new_product_share_{days}d} מהרכישות ב-{days} הימים האחרונים היו של מוצרים חדשים ללקוח",
    zero_en="No first-time products in the last {days} days",
    zero_he="לא נרכשו מוצרים חדשים ללקוח ב-{days} הימים האחרונים",
    missing_en=_NONE_EN,
    missing_he=_NONE_HE,
)
def new_product_share(rows: Rows, days: int) -> Floats:
    """Lines with a product new to the customer, as a share of lines in the last {days} days."""
    return ratio(_lines(rows).first_of("product_id").count(days), _lines(rows).count(days))


@signal(
    unit=DAYS,
    direction=1,
    needs=_NEEDS,
    en="Last tried a new product {days_since_new_product} ago",
    he="מוצר חדש ללקוח נרכש לאחרונה לפני {days_since_new_product}",
    missing_en="Nothing bought on record",
    missing_he="לא נרשמו רכישות",
)
def days_since_new_product(rows: Rows) -> Floats:
    """Days since the customer last bought a product that they had not bought before."""
    return _lines(rows).first_of("product_id").since_last()


@signal(
    unit=SHARE,
    needs=_NEEDS,
    windows=(365,),
    en="{favourite_product_share_{days}d} of purchases in the last {days} days were one product",
    he="{favourite_product_share_{days}d} מהרכישות ב-{days} הימים האחרונים היו של מוצר אחד",
    missing_en=_NONE_EN,
    missing_he=_NONE_HE,
)
def favourite_product_share(rows: Rows, days: int) -> Floats:
    """Lines of the product bought most often, as a share of lines in the last {days} days."""
    return ratio(_lines(rows).most_often("product_id", days), _lines(rows).count(days))


@signal(
    unit=SHARE,
    needs=_NEEDS,
    windows=(365,),
    en="{product_variety_{days}d} of purchases in the last {days} days were different products",
    he="{product_variety_{days}d} מהרכישות ב-{days} הימים האחרונים היו של מוצרים שונים",
    missing_en=_NONE_EN,
    missing_he=_NONE_HE,
)
def product_variety(rows: Rows, days: int) -> Floats:
    """Different products, as a share of lines in the last {days} days; 1 if none came twice."""
    return ratio(_lines(rows).distinct("product_id", days), _lines(rows).count(days))


@signal(
    unit=TIMES,
    direction=-1,
    needs=_NEEDS,
    en="Different products bought in the last 90 days: {product_ratio_90d}",
    he="מגוון המוצרים שנרכשו ב-90 הימים האחרונים: {product_ratio_90d}",
    zero_en="Nothing bought in the last 90 days, unlike before",
    zero_he="אין רכישות ב-90 הימים האחרונים, בשונה מבעבר",
    missing_en="Nothing bought in the 90 days before the last 90 to compare with",
    missing_he="אין רכישות להשוואה ב-90 הימים שלפני 90 הימים האחרונים",
)
def product_ratio_90d(rows: Rows) -> Floats:
    """Different products bought in the last 90 days, against those of the 90 days before."""
    lines = _lines(rows)
    return ratio(lines.distinct("product_id", 90), lines.distinct("product_id", 180, until=90))


@signal(
    unit=CATEGORIES,
    direction=-1,
    needs=_NEEDS,
    windows=(180,),
    en="First purchases from {new_categories_{days}d} in the last {days} days",
    he="רכישה ראשונה מתוך {new_categories_{days}d} ב-{days} הימים האחרונים",
    zero_en="No new categories tried in the last {days} days",
    zero_he="אין רכישות מקטגוריות חדשות ב-{days} הימים האחרונים",
)
def new_categories(rows: Rows, days: int) -> Floats:
    """Categories that the customer bought from for the first time in the last {days} days."""
    return rows.events("product_ordered").first_of("category").count(days)
