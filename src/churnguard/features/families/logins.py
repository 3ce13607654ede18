"""Recency and rhythm of logins: whether the customer still looks in, and as often as usual.

Logins less than a day after the start of a visit belong to it; gaps are those between visits of the
last 365 days.
"""

from __future__ import annotations

from churnguard.features.rows import EventRows, Floats, Gaps, Rows, ratio
from churnguard.features.signal import signal
from churnguard.features.units import DAYS, DEVIATIONS, LOGINS, TIMES

_NEEDS = ("signed_in",)
_LAST_EN = "Last seen {days_since_login} ago"
_LAST_HE = "התחברות אחרונה לפני {days_since_login}"
_NONE_EN = "No login on record"
_NONE_HE = "לא נרשמה התחברות"
_USUAL_EN = "Last seen {days_since_login} ago; usually {login_gap_median:every}"
_USUAL_HE = "התחברות אחרונה לפני {days_since_login}; בדרך כלל {login_gap_median:every}"
_FEW_EN = "Too few logins to show a habit"
_FEW_HE = "מעט מדי התחברויות כדי לזהות הרגל"


def _logins(rows: Rows) -> EventRows:
    return rows.events("signed_in")


def _gaps(rows: Rows) -> Gaps:
    return _logins(rows).visits().gaps(days=365)


@signal(
    unit=DAYS,
    direction=1,
    needs=_NEEDS,
    usual="login_gap_median",
    en=_USUAL_EN,
    he=_USUAL_HE,
    missing_en=(_LAST_EN, _NONE_EN),
    missing_he=(_LAST_HE, _NONE_HE),
)
def days_since_login(rows: Rows) -> Floats:
    """Days since the last login."""
    return _logins(rows).since_last()


@signal(
    unit=LOGINS,
    direction=-1,
    needs=_NEEDS,
    windows=(30, 90),
    en="{logins_{days}d} in the last {days} days",
    he="{logins_{days}d} ב-{days} הימים האחרונים",
)
def logins(rows: Rows, days: int) -> Floats:
    """Logins in the last {days} days."""
    return _logins(rows).count(days)


@signal(
    unit=TIMES,
    direction=-1,
    needs=_NEEDS,
    en="{logins_30d} in the last 30 days, {login_ratio_30d}",
    he="{logins_30d} ב-30 הימים האחרונים, {login_ratio_30d}",
    zero_en="No logins in the last 30 days, unlike before",
    zero_he="אין התחברויות ב-30 הימים האחרונים, בשונה מבעבר",
    missing_en="{logins_30d} in the last 30 days",
    missing_he="{logins_30d} ב-30 הימים האחרונים",
)
def login_ratio_30d(rows: Rows) -> Floats:
    """Logins in the last 30 days, against the mean of the five 30 days before."""
    return ratio(_logins(rows).count(30), _logins(rows).count(180, until=30) / 5)


@signal(
    unit=DAYS,
    direction=1,
    needs=_NEEDS,
    en="Visits {login_gap_mean:every} on average",
    he="ביקור {login_gap_mean:every} בממוצע",
    missing_en=_FEW_EN,
    missing_he=_FEW_HE,
)
def login_gap_mean(rows: Rows) -> Floats:
    """Mean days between visits in the last 365 days."""
    return _gaps(rows).mean()


@signal(
    unit=DAYS,
    needs=_NEEDS,
    en="Visits {login_gap_mean:every} on average, give or take {login_gap_sd}",
    he="ביקור {login_gap_mean:every} בממוצע, בסטייה של {login_gap_sd}",
    missing_en=_FEW_EN,
    missing_he=_FEW_HE,
)
def login_gap_sd(rows: Rows) -> Floats:
    """Standard deviation of the days between visits in the last 365 days."""
    return _gaps(rows).sd()


@signal(
    unit=DAYS,
    needs=_NEEDS,
    en="Usually visits {login_gap_median:every}",
    he="בדרך כלל ביקור {login_gap_median:every}",
    missing_en=_FEW_EN,
    missing_he=_FEW_HE,
)
def login_gap_median(rows: Rows) -> Floats:
    """Median days between visits in the last 365 days."""
    return _gaps(rows).median()


@signal(
    unit=DAYS,
    needs=_NEEDS,
    en="The longest break between visits in the past year was {login_gap_longest}",
    he="ההפסקה הארוכה ביותר בין ביקורים בשנה האחרונה: {login_gap_longest}",
    missing_en=_FEW_EN,
    missing_he=_FEW_HE,
)
def login_gap_longest(rows: Rows) -> Floats:
    """Longest gap between visits in days, in the last 365 days."""
    return _gaps(rows).longest()


@signal(
    unit=TIMES,
    direction=1,
    needs=_NEEDS,
    en=_USUAL_EN,
    he=_USUAL_HE,
    missing_en=(_LAST_EN, _NONE_EN),
    missing_he=(_LAST_HE, _NONE_HE),
)
def login_gap_ratio(rows: Rows) -> Floats:
    """Days since the last login, as a multiple of the customer's own median gap."""
    return ratio(_logins(rows).since_last(), _gaps(rows).median())


@signal(
    unit=DEVIATIONS,
    direction=1,
    needs=_NEEDS,
    en=_USUAL_EN,
    he=_USUAL_HE,
    missing_en=(_LAST_EN, _NONE_EN),
    missing_he=(_LAST_HE, _NONE_HE),
)
def login_gap_z(rows: Rows) -> Floats:
    """Days since the last login less the median gap, in robust standard deviations of the gaps.

    The deviation is 1.4826 times the median distance from the median, at least one day.
    """
    return _gaps(rows).robust_z(_logins(rows).since_last())


@signal(
    unit=TIMES,
    direction=1,
    needs=_NEEDS,
    en="Last seen {days_since_login} ago; longest break in the past year: {login_gap_longest}",
    he="התחברות אחרונה לפני {days_since_login}; ההפסקה הארוכה בשנה האחרונה: {login_gap_longest}",
    missing_en=(_LAST_EN, _NONE_EN),
    missing_he=(_LAST_HE, _NONE_HE),
)
def login_silence_to_longest(rows: Rows) -> Floats:
    """Days since the last login, as a multiple of the longest gap between visits in 365 days."""
    return ratio(_logins(rows).since_last(), _gaps(rows).longest())
