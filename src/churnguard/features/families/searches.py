"""Searches: whether the customer looks for things and does not find them.

The value of ``products_searched`` is the number of results; searches with 0 are fruitless.
"""

from __future__ import annotations

from churnguard.features.rows import EventRows, Floats, Rows, ratio
from churnguard.features.signal import signal
from churnguard.features.units import DAYS, SEARCHES, SHARE

_NEEDS = ("products_searched",)
_HALF_AN_HOUR = 1 / 48


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


def _repeated(rows: Rows, days: int) -> Floats:
    searches = _searches(rows)
    return searches.count(days) - searches.visits(_HALF_AN_HOUR).count(days)


@signal(
    unit=SEARCHES,
    direction=1,
    needs=_NEEDS,
    windows=(30,),
    en="{searches_repeated_{days}d} within half an hour of another in the last {days} days",
    he="{searches_repeated_{days}d} בתוך חצי שעה מחיפוש קודם ב-{days} הימים האחרונים",
)
def searches_repeated(rows: Rows, days: int) -> Floats:
    """Searches in the last {days} days that follow a first one by less than half an hour.

    The first search that comes half an hour or more after the last first one is a first one again.
    """
    return _repeated(rows, days)


@signal(
    unit=SHARE,
    direction=1,
    needs=_NEEDS,
    windows=(90,),
    en="{searches_repeated_share_{days}d} of searches in the last {days} days were another try",
    he="{searches_repeated_share_{days}d} מהחיפושים ב-{days} הימים האחרונים היו ניסיון חוזר",
    zero_en="No search in the last {days} days was another try",
    zero_he="לא היו חיפושים חוזרים ב-{days} הימים האחרונים",
    missing_en="No searches in the last {days} days",
    missing_he="אין חיפושים ב-{days} הימים האחרונים",
)
def searches_repeated_share(rows: Rows, days: int) -> Floats:
    """Share of searches in {days} days that follow a first one by less than half an hour."""
    return ratio(_repeated(rows, days), _searches(rows).count(days))
