"""Searches: whether the customer looks for things and does not find them.

The value of ``products_searched`` is the number of results; searches with 0 are fruitless.
"""

from __future__ import annotations

from churnguard.features.rows import EventRows, Floats, Rows, ratio
from churnguard.features.signal import signal
from churnguard.features.units import DAYS, SEARCHES, SHARE

_NEEDS = ("products_searched",)


def _searches(rows: Rows) -> EventRows:
    return rows.events("products_searched")


@signal(
    unit=SEARCHES,
    needs=_NEEDS,
    windows=(30,),
    en="{searches_{days}d} in the last {days} days",
    he="{searches_{days}d} ב-{days} הימים האחרונים",
)
def searches(rows: Rows, days: int) -> Floats:
    """Searches in the last {days} days."""
    return _searches(rows).count(days)


@signal(
    unit=SEARCHES,
    direction=1,
    needs=_NEEDS,
    windows=(30,),
    en="{searches_empty_{days}d} without a result in the last {days} days",
    he="{searches_empty_{days}d} ללא תוצאות ב-{days} הימים האחרונים",
)
def searches_empty(rows: Rows, days: int) -> Floats:
    """Searches without a result in the last {days} days."""
    return _searches(rows).where("value", equals=0).count(days)


@signal(
    unit=SHARE,
    direction=1,
    needs=_NEEDS,
    windows=(90,),
    en="{searches_empty_share_{days}d} of searches found nothing in the last {days} days",
    he="{searches_empty_share_{days}d} מהחיפושים היו ללא תוצאות ב-{days} הימים האחרונים",
    zero_en="Every search in the last {days} days found something",
    zero_he="כל החיפושים ב-{days} הימים האחרונים הניבו תוצאות",
    missing_en="No searches with counted results in the last {days} days",
    missing_he="אין חיפושים עם מספר תוצאות ידוע ב-{days} הימים האחרונים",
)
def searches_empty_share(rows: Rows, days: int) -> Floats:
    """Share of searches without a result in the last {days} days, where results are counted."""
    empty = _searches(rows).where("value", equals=0).count(days)
    return ratio(empty, _searches(rows).known("value").count(days))


@signal(
    unit=SEARCHES,
    direction=1,
    needs=_NEEDS,
    en="Most recently {searches_empty_streak} without a result",
    he="לאחרונה {searches_empty_streak} ללא תוצאות",
    zero_en="No searches without a result of late",
    zero_he="אין לאחרונה חיפושים ללא תוצאות",
)
def searches_empty_streak(rows: Rows) -> Floats:
    """Searches without a result in a row, up to the newest, in the last 90 days."""
    return _searches(rows).streak("value", equals=0, days=90)


@signal(
    unit=DAYS,
    direction=1,
    needs=_NEEDS,
    en="Last search {days_since_search} ago",
    he="חיפוש אחרון לפני {days_since_search}",
    missing_en="No search on record",
    missing_he="לא נרשמו חיפושים",
)
def days_since_search(rows: Rows) -> Floats:
    """Days since the last search."""
    return _searches(rows).since_last()
