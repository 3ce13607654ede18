"""Messages: whether the customer still opens and clicks what the shop sends."""

from __future__ import annotations

from churnguard.features.rows import EventRows, Floats, Rows, ratio
from churnguard.features.signal import signal
from churnguard.features.units import DAYS, EMAILS, NUMBER, TIMES

_OPENED = ("email_opened",)


def _opened(rows: Rows) -> EventRows:
    return rows.events("email_opened")


@signal(
    unit=EMAILS,
    direction=-1,
    needs=_OPENED,
    windows=(90,),
    en="Opened {emails_opened_{days}d} in the last {days} days",
    he="נפתחו ב-{days} הימים האחרונים: {emails_opened_{days}d}",
)
def emails_opened(rows: Rows, days: int) -> Floats:
    """E-mails opened in the last {days} days."""
    return _opened(rows).count(days)


@signal(
    unit=TIMES,
    direction=-1,
    needs=_OPENED,
    en="E-mails opened in the last 90 days: {email_open_ratio_90d} the usual",
    he="קצב פתיחת הודעות הדוא״ל: {email_open_ratio_90d} מהרגיל",
    missing_en="No e-mails opened before the last 90 days",
    missing_he="לא נפתחו הודעות דוא״ל לפני 90 הימים האחרונים",
)
def email_open_ratio_90d(rows: Rows) -> Floats:
    """E-mails opened in the last 90 days, against the mean of the three 90 days before."""
    return ratio(_opened(rows).count(90), _opened(rows).count(360, until=90) / 3)


@signal(
    unit=DAYS,
    direction=1,
    needs=_OPENED,
    en="Last opened an e-mail {days_since_email_opened} ago",
    he="הודעת דוא״ל נפתחה לאחרונה לפני {days_since_email_opened}",
    missing_en="Has not opened an e-mail so far",
    missing_he="עד כה לא נפתחה אף הודעת דוא״ל",
)
def days_since_email_opened(rows: Rows) -> Floats:
    """Days since an e-mail was last opened."""
    return _opened(rows).since_last()


@signal(
    unit=EMAILS,
    direction=-1,
    needs=("email_link_clicked",),
    windows=(90,),
    en="Clicked in {emails_clicked_{days}d} in the last {days} days",
    he="הקלקות ב-{days} הימים האחרונים: {emails_clicked_{days}d}",
)
def emails_clicked(rows: Rows, days: int) -> Floats:
    """Clicks on links in e-mails in the last {days} days."""
    return rows.events("email_link_clicked").count(days)


@signal(
    unit=NUMBER,
    direction=1,
    needs=("unsubscribed",),
    windows=(365,),
    en="Unsubscribed from messages in the last {days} days (times: {unsubscribed_{days}d})",
    he="ביטול הרשמה להודעות ב-{days} הימים האחרונים (פעמים: {unsubscribed_{days}d})",
)
def unsubscribed(rows: Rows, days: int) -> Floats:
    """Times unsubscribed in the last {days} days."""
    return rows.events("unsubscribed").count(days)
