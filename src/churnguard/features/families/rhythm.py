"""Recency and rhythm of orders: the silence since the last one, against the customer's own habit.

Orders less than a day after the start of a visit belong to it; gaps are those between visits.
"""

from __future__ import annotations

from churnguard.features.rows import EventRows, Floats, Gaps, Rows, ratio
from churnguard.features.signal import signal
from churnguard.features.units import DAYS, DEVIATIONS, TIMES

_NEEDS = ("order_completed",)
_ONE_EN = "Last order {days_since_order} ago; too few orders for a habit"
_ONE_HE = "הזמנה אחרונה לפני {days_since_order}; מעט מדי הזמנות כדי לזהות הרגל"
_NONE_EN = "No order on record"
_NONE_HE = "לא נרשמה הזמנה"
_FEW_EN = "Too few orders to show a habit"
_FEW_HE = "מעט מדי הזמנות כדי לזהות הרגל"


def _orders(rows: Rows) -> EventRows:
    return rows.events("order_completed")


def _gaps(rows: Rows) -> Gaps:
    return _orders(rows).visits().gaps()


@signal(
    unit=DAYS,
    direction=1,
    needs=_NEEDS,
    usual="order_gap_median",
    en="Last order {days_since_order} ago; usually {order_gap_median:every}",
    he="הזמנה אחרונה לפני {days_since_order}; בדרך כלל {order_gap_median:every}",
    missing_en=(_ONE_EN, _NONE_EN),
    missing_he=(_ONE_HE, _NONE_HE),
)
def days_since_order(rows: Rows) -> Floats:
    """Days since the last order."""
    return _orders(rows).since_last()


@signal(
    unit=DAYS,
    direction=1,
    needs=_NEEDS,
    en="Orders {order_gap_mean:every} on average",
    he="הזמנה {order_gap_mean:every} בממוצע",
    missing_en=_FEW_EN,
    missing_he=_FEW_HE,
)
def order_gap_mean(rows: Rows) -> Floats:
    """Mean days between orders, over all of the customer's history."""
    return _gaps(rows).mean()


@signal(
    unit=DAYS,
    needs=_NEEDS,
    en="Orders {order_gap_mean:every} on average, give or take {order_gap_sd}",
    he="הזמנה {order_gap_mean:every} בממוצע, בסטייה של {order_gap_sd}",
    missing_en=_FEW_EN,
    missing_he=_FEW_HE,
)
def order_gap_sd(rows: Rows) -> Floats:
    """Standard deviation of the days between orders, over all history."""
    return _gaps(rows).sd()


@signal(
    unit=DAYS,
    needs=_NEEDS,
    en="Usually orders {order_gap_median:every}",
    he="בדרך כלל הזמנה {order_gap_median:every}",
    missing_en=_FEW_EN,
    missing_he=_FEW_HE,
)
def order_gap_median(rows: Rows) -> Floats:
    """Median days between orders, over all history."""
    return _gaps(rows).median()


@signal(
    unit=DAYS,
    needs=_NEEDS,
    en="The longest break between orders so far was {order_gap_longest}",
    he="ההפסקה הארוכה ביותר בין הזמנות עד כה: {order_gap_longest}",
    missing_en=_FEW_EN,
    missing_he=_FEW_HE,
)
def order_gap_longest(rows: Rows) -> Floats:
    """Longest gap between orders in days, over all history."""
    return _gaps(rows).longest()


@signal(
    unit=TIMES,
    direction=1,
    needs=_NEEDS,
    en="Last order {days_since_order} ago; usually {order_gap_median:every}",
    he="הזמנה אחרונה לפני {days_since_order}; בדרך כלל {order_gap_median:every}",
    missing_en=(_ONE_EN, _NONE_EN),
    missing_he=(_ONE_HE, _NONE_HE),
)
def order_gap_ratio(rows: Rows) -> Floats:
    """Days since the last order, as a multiple of the customer's own median gap."""
    return ratio(_orders(rows).since_last(), _gaps(rows).median())


@signal(
    unit=DEVIATIONS,
    direction=1,
    needs=_NEEDS,
    en="Last order {days_since_order} ago; usually {order_gap_median:every}",
    he="הזמנה אחרונה לפני {days_since_order}; בדרך כלל {order_gap_median:every}",
    missing_en=(_ONE_EN, _NONE_EN),
    missing_he=(_ONE_HE, _NONE_HE),
)
def order_gap_z(rows: Rows) -> Floats:
    """Days since the last order less the median gap, in robust standard deviations of the gaps.

    The deviation is 1.4826 times the median distance from the median, at least one day.
    """
    return _gaps(rows).robust_z(_orders(rows).since_last())


@signal(
    unit=TIMES,
    direction=1,
    needs=_NEEDS,
    en="Last order {days_since_order} ago; the longest break so far was {order_gap_longest}",
    he="הזמנה אחרונה לפני {days_since_order}; ההפסקה הארוכה ביותר עד כה: {order_gap_longest}",
    missing_en=(_ONE_EN, _NONE_EN),
    missing_he=(_ONE_HE, _NONE_HE),
)
def order_silence_to_longest(rows: Rows) -> Floats:
    """Days since the last order, as a multiple of the longest gap the customer came back from."""
    return ratio(_orders(rows).since_last(), _gaps(rows).longest())
