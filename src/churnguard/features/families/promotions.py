"""Promotions: how much of what the customer buys is bought at a discount, and whether that grows.

An order whose discount is 0 was bought at the full price; one without a discount on record says
nothing, so a shop that does not keep discounts has no numbers here.
"""

from __future__ import annotations

from churnguard.features.rows import EventRows, Floats, Rows, ratio
from churnguard.features.signal import signal
from churnguard.features.units import OCCASIONS, SHARE, TIMES

_NEEDS = ("order_completed",)
_COUPONS = ("coupon_applied",)
_NONE_EN = "No order with a known discount in the last {days} days"
_NONE_HE = "אין הזמנות עם הנחה ידועה ב-{days} הימים האחרונים"


def _told(rows: Rows) -> EventRows:
    return rows.events("order_completed").known("discount")


def _full_price(rows: Rows) -> EventRows:
    return rows.events("order_completed").where("discount", equals=0)


@signal(
    unit=SHARE,
    needs=_NEEDS,
    windows=(365,),
    en="{discount_order_share_{days}d} of orders in the last {days} days were at a discount",
    he="{discount_order_share_{days}d} מההזמנות ב-{days} הימים האחרונים היו בהנחה",
    zero_en="No order in the last {days} days was at a discount",
    zero_he="אף הזמנה ב-{days} הימים האחרונים לא הייתה בהנחה",
    missing_en=_NONE_EN,
    missing_he=_NONE_HE,
)
def discount_order_share(rows: Rows, days: int) -> Floats:
    """Orders at a discount, as a share of the orders whose discount is known, in {days} days."""
    told = _told(rows).count(days)
    return ratio(told - _full_price(rows).count(days), told)


@signal(
    unit=SHARE,
    needs=_NEEDS,
    windows=(365,),
    en="{discount_spend_share_{days}d} of spend in the last {days} days was on discounted orders",
    he="{discount_spend_share_{days}d} מההוצאה ב-{days} הימים האחרונים הייתה על הזמנות בהנחה",
    zero_en="No spend on discounted orders in the last {days} days",
    zero_he="לא נרשמה הוצאה על הזמנות בהנחה ב-{days} הימים האחרונים",
    missing_en=_NONE_EN,
    missing_he=_NONE_HE,
)
def discount_spend_share(rows: Rows, days: int) -> Floats:
    """Value of orders at a discount, as a share of all whose discount is known, in {days} days."""
    told = _told(rows).sum("value", days)
    return ratio(told - _full_price(rows).sum("value", days), told)


def _share_off(rows: Rows, days: float, until: float = 0.0) -> Floats:
    orders = _told(rows).known("value")
    off = orders.sum("discount", days, until=until)
    return ratio(off, off + orders.sum("value", days, until=until))


@signal(
    unit=SHARE,
    needs=_NEEDS,
    windows=(365,),
    en="Discounts took {discount_share_{days}d} off the full price in the last {days} days",
    he="ההנחות הפחיתו {discount_share_{days}d} מהמחיר המלא ב-{days} הימים האחרונים",
    zero_en="Everything in the last {days} days was bought at the full price",
    zero_he="כל הרכישות ב-{days} הימים האחרונים היו במחיר מלא",
    missing_en=_NONE_EN,
    missing_he=_NONE_HE,
)
def discount_share(rows: Rows, days: int) -> Floats:
    """Discount as a share of the full price (value plus discount) of orders in {days} days."""
    return _share_off(rows, days)


@signal(
    unit=TIMES,
    direction=1,
    needs=_NEEDS,
    en="Share of the price taken off by discounts in the last 90 days: {discount_ratio_90d}",
    he="שיעור ההנחה ב-90 הימים האחרונים: {discount_ratio_90d}",
    zero_en="No discounts in the last 90 days, unlike before",
    zero_he="אין הנחות ב-90 הימים האחרונים, בשונה מבעבר",
    missing_en="Too few discounts to compare with",
    missing_he="מעט מדי הנחות להשוואה",
)
def discount_ratio_90d(rows: Rows) -> Floats:
    """Discount as a share of the full price in 90 days, against the 365 days before those."""
    return ratio(_share_off(rows, 90), _share_off(rows, 455, until=90))


@signal(
    unit=OCCASIONS,
    needs=_COUPONS,
    windows=(180,),
    en="Used a coupon {coupons_{days}d} in the last {days} days",
    he="שימוש בקופון {coupons_{days}d} ב-{days} הימים האחרונים",
    zero_en="No coupon used in the last {days} days",
    zero_he="לא נעשה שימוש בקופון ב-{days} הימים האחרונים",
)
def coupons(rows: Rows, days: int) -> Floats:
    """Coupons applied in the last {days} days, to an order or to a cart."""
    return rows.events("coupon_applied").count(days)
