"""Premium: whether the customer pays more for an item than before, or looks at dearer ones.

The value of a line is what was paid for all of its units; that of a view is the price of one.
"""

from __future__ import annotations

from churnguard.features.rows import Floats, Rows, ratio
from churnguard.features.signal import signal
from churnguard.features.units import MONEY, TIMES

_LINES = ("order_completed", "product_ordered")
_VIEWS = ("product_viewed",)
_BOTH = ("product_ordered", "product_viewed")
_VIEWED_EN = "Products viewed in the last 30 days cost {view_price_30d}"
_VIEWED_HE = "המוצרים שנצפו ב-30 הימים האחרונים עולים {view_price_30d}"
_NOT_EN = "No products with a price viewed in the last 30 days"
_NOT_HE = "לא נצפו מוצרים עם מחיר ב-30 הימים האחרונים"


def _price(rows: Rows, days: float, until: float = 0.0) -> Floats:
    lines = rows.events("product_ordered").known("value").known("quantity")
    return ratio(lines.sum("value", days, until=until), lines.sum("quantity", days, until=until))


@signal(
    unit=MONEY,
    needs=_LINES,
    windows=(365,),
    en="Paid {unit_price_{days}d} an item on average in the last {days} days",
    he="מחיר ממוצע לפריט ב-{days} הימים האחרונים: {unit_price_{days}d}",
    missing_en="No items with a price bought in the last {days} days",
    missing_he="לא נרכשו פריטים עם מחיר ב-{days} הימים האחרונים",
)
def unit_price(rows: Rows, days: int) -> Floats:
    """Value of lines per unit in the last {days} days, of lines that know both."""
    return _price(rows, days)


@signal(
    unit=TIMES,
    needs=_LINES,
    en="Price paid an item in the last 90 days: {unit_price_ratio_90d}",
    he="המחיר ששולם לפריט ב-90 הימים האחרונים: {unit_price_ratio_90d}",
    missing_en="Too few purchases to compare prices",
    missing_he="מעט מדי רכישות להשוואת מחירים",
)
def unit_price_ratio_90d(rows: Rows) -> Floats:
    """Value of lines per unit in the last 90 days, against the 365 days before those."""
    return ratio(_price(rows, 90), _price(rows, 455, until=90))


@signal(
    unit=MONEY,
    needs=_VIEWS,
    usual="unit_price_365d",
    en=_VIEWED_EN,
    he=_VIEWED_HE,
    missing_en=_NOT_EN,
    missing_he=_NOT_HE,
)
def view_price_30d(rows: Rows) -> Floats:
    """Median price of the products viewed in the last 30 days."""
    return rows.events("product_viewed").median("value", 30)


@signal(
    unit=TIMES,
    needs=_BOTH,
    en=f"{_VIEWED_EN}; usually pays {{unit_price_365d}} an item",
    he=f"{_VIEWED_HE}; בדרך כלל משולם {{unit_price_365d}} לפריט",
    missing_en=(_VIEWED_EN, _NOT_EN),
    missing_he=(_VIEWED_HE, _NOT_HE),
)
def view_price_ratio_30d(rows: Rows) -> Floats:
    """Median price of the products viewed in 30 days, against the price paid an item in 365."""
    return ratio(view_price_30d(rows), unit_price(rows, 365))
