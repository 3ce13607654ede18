"""Baskets: whether what the customer buys at a time is shrinking: value, units, variety.

Money is told by ``order_completed``; items and products by the lines, ``product_ordered``.
"""

from __future__ import annotations

from churnguard.features.rows import Floats, Rows, ratio
from churnguard.features.signal import signal
from churnguard.features.units import CATEGORIES, ITEMS, PRODUCTS, SHARE, TIMES

_ORDERS = ("order_completed",)
_LINES = ("order_completed", "product_ordered")
_NEW_EN = "Too few orders to compare baskets"
_NEW_HE = "מעט מדי הזמנות להשוואת סלים"


@signal(
    unit=TIMES,
    direction=-1,
    needs=_ORDERS,
    en="The last basket came to {order_value_last}, {basket_value_ratio}",
    he="הסל האחרון הסתכם ב-{order_value_last}, {basket_value_ratio}",
    missing_en=_NEW_EN,
    missing_he=_NEW_HE,
)
def basket_value_ratio(rows: Rows) -> Floats:
    """Value of the last order, against the median of the customer's orders before it."""
    orders = rows.events("order_completed")
    return ratio(orders.last("value"), orders.median("value", skip_last=1))


@signal(
    unit=SHARE,
    direction=-1,
    needs=_ORDERS,
    windows=(365,),
    en="Basket value changes by {basket_value_trend_{days}d} a month",
    he="שינוי בשווי הסל: {basket_value_trend_{days}d} בחודש",
    zero_en="Basket value is steady",
    zero_he="שווי הסל יציב",
    missing_en=_NEW_EN,
    missing_he=_NEW_HE,
)
def basket_value_trend(rows: Rows, days: int) -> Floats:
    """Slope of order value over the last {days} days, as a share of its mean per 30 days.

    Least squares; at least three orders.
    """
    return rows.events("order_completed").trend("value", days)


@signal(
    unit=TIMES,
    direction=-1,
    needs=_LINES,
    en="Items a basket in the last 90 days: {basket_units_ratio}",
    he="פריטים לסל ב-90 הימים האחרונים: {basket_units_ratio}",
    missing_en=_NEW_EN,
    missing_he=_NEW_HE,
)
def basket_units_ratio(rows: Rows) -> Floats:
    """Items an order in the last 90 days, against the 365 days before those."""
    orders, lines = rows.events("order_completed"), rows.events("product_ordered")
    now = ratio(lines.sum("quantity", 90), orders.count(90))
    before = ratio(lines.sum("quantity", 455, until=90), orders.count(455, until=90))
    return ratio(now, before)


@signal(
    unit=TIMES,
    direction=-1,
    needs=_LINES,
    en="Different products a basket in the last 90 days: {basket_variety_ratio}",
    he="מגוון מוצרים לסל ב-90 הימים האחרונים: {basket_variety_ratio}",
    missing_en=_NEW_EN,
    missing_he=_NEW_HE,
)
def basket_variety_ratio(rows: Rows) -> Floats:
    """Lines an order in the last 90 days, against the 365 days before those."""
    orders, lines = rows.events("order_completed"), rows.events("product_ordered")
    now = ratio(lines.count(90), orders.count(90))
    before = ratio(lines.count(455, until=90), orders.count(455, until=90))
    return ratio(now, before)


@signal(
    unit=ITEMS,
    direction=-1,
    needs=_LINES,
    windows=(365,),
    en="{units_{days}d} bought in the last {days} days",
    he="רכישה של {units_{days}d} ב-{days} הימים האחרונים",
    zero_en="Nothing bought in the last {days} days",
    zero_he="לא נרכשו פריטים ב-{days} הימים האחרונים",
)
def units(rows: Rows, days: int) -> Floats:
    """Items bought in the last {days} days."""
    return rows.events("product_ordered").sum("quantity", days)


@signal(
    unit=PRODUCTS,
    direction=-1,
    needs=_LINES,
    windows=(90, 365),
    en="Bought {products_{days}d} in the last {days} days",
    he="רכישה של {products_{days}d} ב-{days} הימים האחרונים",
    zero_en="Nothing bought in the last {days} days",
    zero_he="לא נרכשו מוצרים ב-{days} הימים האחרונים",
)
def products(rows: Rows, days: int) -> Floats:
    """Different products bought in the last {days} days."""
    return rows.events("product_ordered").distinct("product_id", days)


@signal(
    unit=CATEGORIES,
    direction=-1,
    needs=_LINES,
    windows=(365,),
    en="Bought from {categories_{days}d} in the last {days} days",
    he="רכישות מתוך {categories_{days}d} ב-{days} הימים האחרונים",
    zero_en="Nothing bought from a known category in the last {days} days",
    zero_he="אין רכישות מקטגוריות מוכרות ב-{days} הימים האחרונים",
)
def categories(rows: Rows, days: int) -> Floats:
    """Different categories bought from in the last {days} days."""
    return rows.events("product_ordered").distinct("category", days)


@signal(
    unit=TIMES,
    direction=-1,
    needs=_ORDERS,
    en="Value of a basket in the last 90 days: {basket_value_ratio_90d}",
    he="שווי סל ממוצע ב-90 הימים האחרונים: {basket_value_ratio_90d}",
    missing_en=_NEW_EN,
    missing_he=_NEW_HE,
)
def basket_value_ratio_90d(rows: Rows) -> Floats:
    """Mean value of the orders of the last 90 days, against the 365 days before those."""
    orders = rows.events("order_completed")
    return ratio(orders.mean("value", 90), orders.mean("value", 455, until=90))


@signal(
    unit=TIMES,
    direction=-1,
    needs=_LINES,
    en="Items in the last basket: {basket_units_last_ratio}",
    he="פריטים בסל האחרון: {basket_units_last_ratio}",
    missing_en=_NEW_EN,
    missing_he=_NEW_HE,
)
def basket_units_last_ratio(rows: Rows) -> Floats:
    """Items bought last, against the median of the customer's baskets before.

    A basket is what was bought at one instant.
    """
    baskets = rows.events("basket_bought")
    return ratio(baskets.last("quantity"), baskets.median("quantity", skip_last=1))


@signal(
    unit=TIMES,
    direction=-1,
    needs=_LINES,
    en="Different products in the last basket: {basket_variety_last_ratio}",
    he="מגוון המוצרים בסל האחרון: {basket_variety_last_ratio}",
    missing_en=_NEW_EN,
    missing_he=_NEW_HE,
)
def basket_variety_last_ratio(rows: Rows) -> Floats:
    """Lines bought last, against the median of the customer's baskets before.

    A basket is what was bought at one instant.
    """
    baskets = rows.events("basket_bought")
    return ratio(baskets.last("lines"), baskets.median("lines", skip_last=1))


@signal(
    unit=SHARE,
    direction=-1,
    needs=_LINES,
    windows=(365,),
    en="Items a basket change by {basket_units_trend_{days}d} a month",
    he="שינוי במספר הפריטים לסל: {basket_units_trend_{days}d} בחודש",
    zero_en="Items a basket are steady",
    zero_he="מספר הפריטים לסל יציב",
    missing_en=_NEW_EN,
    missing_he=_NEW_HE,
)
def basket_units_trend(rows: Rows, days: int) -> Floats:
    """Slope of items a basket over the last {days} days, as a share of its mean per 30 days.

    Least squares; at least three baskets. A basket is what was bought at one instant.
    """
    return rows.events("basket_bought").trend("quantity", days)


@signal(
    unit=SHARE,
    direction=-1,
    needs=_LINES,
    windows=(365,),
    en="Different products a basket change by {basket_variety_trend_{days}d} a month",
    he="שינוי במגוון המוצרים לסל: {basket_variety_trend_{days}d} בחודש",
    zero_en="Variety of a basket is steady",
    zero_he="מגוון המוצרים לסל יציב",
    missing_en=_NEW_EN,
    missing_he=_NEW_HE,
)
def basket_variety_trend(rows: Rows, days: int) -> Floats:
    """Slope of lines a basket over the last {days} days, as a share of its mean per 30 days.

    Least squares; at least three baskets. A basket is what was bought at one instant.
    """
    return rows.events("basket_bought").trend("lines", days)
