"""Messages: whether the customer still opens and clicks what the shop sends."""

from __future__ import annotations

from churnguard.features.rows import EventRows, Floats, Rows, ratio
from churnguard.features.signal import signal
from churnguard.features.units import CLICKS, DAYS, EMAILS, NUMBER, OCCASIONS, TIMES

_OPENED = ("email_opened",)
_CLICKED = ("email_link_clicked",)


def _opened(rows: Rows) -> EventRows:
    return rows.events("email_opened")


@signal(
    unit=EMAILS,
    direction=-1,
    needs=_OPENED,
    windows=(90,),
    en="Opened {emails_opened_{days}d} in the last {days} days",
    he="פתיחה של {emails_opened_{days}d} ב-{days} הימים האחרונים",
    zero_en="No e-mails opened in the last {days} days",
    zero_he="לא נפתחו הודעות דוא״ל ב-{days} הימים האחרונים",
)
def emails_opened(rows: Rows, days: int) -> Floats:
    """E-mails opened in the last {days} days."""
    return _opened(rows).count(days)


@signal(
    unit=TIMES,
    direction=-1,
    needs=_OPENED,
    en="E-mails opened in the last 90 days: {email_open_ratio_90d}",
    he="פתיחת הודעות דוא״ל ב-90 הימים האחרונים: {email_open_ratio_90d}",
    zero_en="No e-mails opened in the last 90 days, unlike before",
    zero_he="לא נפתחו הודעות דוא״ל ב-90 הימים האחרונים, בשונה מבעבר",
    missing_en="No e-mails opened in the nine months before the last 90 days",
    missing_he="לא נפתחו הודעות דוא״ל בתשעת החודשים שלפני 90 הימים האחרונים",
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
    missing_en="No opened e-mails on record",
    missing_he="לא נרשמו פתיחות של הודעות דוא״ל",
)
def days_since_email_opened(rows: Rows) -> Floats:
    """Days since an e-mail was last opened."""
    return _opened(rows).since_last()


@signal(
    unit=CLICKS,
    direction=-1,
    needs=("email_link_clicked",),
    windows=(90,),
    en="{emails_clicked_{days}d} on e-mail links in the last {days} days",
    he="{emails_clicked_{days}d} על קישורים בהודעות דוא״ל ב-{days} הימים האחרונים",
)
def emails_clicked(rows: Rows, days: int) -> Floats:
    """Clicks on links in e-mails in the last {days} days."""
    return rows.events("email_link_clicked").count(days)


@signal(
    unit=OCCASIONS,
    direction=1,
    needs=("unsubscribed",),
    windows=(365,),
    en="Unsubscribed from messages {unsubscribed_{days}d} in the last {days} days",
    he="ההרשמה להודעות בוטלה {unsubscribed_{days}d} ב-{days} הימים האחרונים",
    zero_en="Has not unsubscribed from messages in the last {days} days",
    zero_he="ההרשמה להודעות לא בוטלה ב-{days} הימים האחרונים",
)
def unsubscribed(rows: Rows, days: int) -> Floats:
    """Times unsubscribed in the last {days} days."""
    return rows.events("unsubscribed").count(days)


@signal(
    unit=TIMES,
    direction=-1,
    needs=_CLICKED,
    en="Clicks on e-mail links in the last 90 days: {email_click_ratio_90d}",
    he="הקלקות על קישורים בהודעות דוא״ל ב-90 הימים האחרונים: {email_click_ratio_90d}",
    zero_en="No clicks on e-mail links in the last 90 days, unlike before",
    zero_he="אין הקלקות על קישורים בהודעות דוא״ל ב-90 הימים האחרונים, בשונה מבעבר",
    missing_en="No clicks on e-mail links in the nine months before the last 90 days",
    missing_he="אין הקלקות על קישורים בהודעות דוא״ל בתשעת החודשים שלפני 90 הימים האחרונים",
)
def email_click_ratio_90d(rows: Rows) -> Floats:
    """Clicks on links in e-mails in 90 days, against the mean of the three 90 days before."""
    clicks = rows.events("email_link_clicked")
    return ratio(clicks.count(90), clicks.count(360, until=90) / 3)


@signal(
    unit=NUMBER,
    direction=-1,
    needs=("email_opened", "email_link_clicked"),
    windows=(90,),
    en="Clicks for each e-mail opened in the last {days} days: {clicks_per_open_{days}d}",
    he="הקלקות לכל הודעת דוא״ל שנפתחה ב-{days} הימים האחרונים: {clicks_per_open_{days}d}",
    zero_en="E-mails were opened in the last {days} days, but no link was clicked",
    zero_he="הודעות דוא״ל נפתחו ב-{days} הימים האחרונים, אך לא הוקלק בהן אף קישור",
    missing_en="No e-mails opened in the last {days} days",
    missing_he="לא נפתחו הודעות דוא״ל ב-{days} הימים האחרונים",
)
def clicks_per_open(rows: Rows, days: int) -> Floats:
    """Clicks on links in e-mails per e-mail opened in the last {days} days."""
    return ratio(rows.events("email_link_clicked").count(days), _opened(rows).count(days))


@signal(
    unit=DAYS,
    direction=1,
    needs=_CLICKED,
    en="Last clicked a link in an e-mail {days_since_email_clicked} ago",
    he="הקלקה אחרונה על קישור בהודעת דוא״ל לפני {days_since_email_clicked}",
    missing_en="No clicks on e-mail links on record",
    missing_he="לא נרשמו הקלקות על קישורים בהודעות דוא״ל",
)
def days_since_email_clicked(rows: Rows) -> Floats:
    """Days since a link in an e-mail was last clicked."""
    return rows.events("email_link_clicked").since_last()


@signal(
    unit=DAYS,
    needs=("unsubscribed",),
    en="Last unsubscribed from messages {days_since_unsubscribed} ago",
    he="ההרשמה להודעות בוטלה לאחרונה לפני {days_since_unsubscribed}",
    missing_en="Has never unsubscribed from messages",
    missing_he="ההרשמה להודעות לא בוטלה מעולם",
)
def days_since_unsubscribed(rows: Rows) -> Floats:
    """Days since the customer last unsubscribed from messages."""
    return rows.events("unsubscribed").since_last()
