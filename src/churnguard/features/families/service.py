"""Service: open requests, and what the customer said when asked.

Surveys keep their own scale; their ``kind`` is nps, csat or ces.
"""

from __future__ import annotations

import numpy as np

from churnguard.clock import DAY_US
from churnguard.features.rows import EventRows, Floats, Rows
from churnguard.features.signal import signal
from churnguard.features.units import DAYS, NUMBER, TICKETS

_TICKETS = ("support_ticket_opened",)
_ANSWERED = ("support_ticket_opened", "support_ticket_closed")
_SURVEYS = ("survey_answered",)
_NONE_EN = "No survey answer on record"
_NONE_HE = "לא נרשמו תשובות לסקרים"


def _surveys(rows: Rows) -> EventRows:
    return rows.events("survey_answered").known("value")


def _closed(rows: Rows) -> EventRows:
    return rows.events("ticket_moved").known("waited")


@signal(
    unit=TICKETS,
    direction=1,
    needs=_TICKETS,
    en="{tickets_open} still open",
    he="{tickets_open} בטיפול כעת",
    zero_en="No open service requests",
    zero_he="אין פניות פתוחות לשירות",
)
def tickets_open(rows: Rows) -> Floats:
    """Service requests opened less those closed, at least 0."""
    opened = rows.events("support_ticket_opened").count()
    return np.maximum(opened - rows.events("support_ticket_closed").count(), 0.0)


@signal(
    unit=TICKETS,
    direction=1,
    needs=_TICKETS,
    windows=(180,),
    en="{tickets_{days}d} in the last {days} days",
    he="{tickets_{days}d} ב-{days} הימים האחרונים",
)
def tickets(rows: Rows, days: int) -> Floats:
    """Service requests opened in the last {days} days."""
    return rows.events("support_ticket_opened").count(days)


@signal(
    unit=DAYS,
    needs=_TICKETS,
    en="Last service request {days_since_ticket_opened} ago; {tickets_open} open now",
    he="פנייה אחרונה לשירות לפני {days_since_ticket_opened}; {tickets_open} בטיפול כעת",
    missing_en="No service request on record",
    missing_he="לא נרשמו פניות לשירות",
)
def days_since_ticket_opened(rows: Rows) -> Floats:
    """Days since a service request was last opened."""
    return rows.events("support_ticket_opened").since_last()


@signal(
    unit=NUMBER,
    direction=-1,
    needs=_SURVEYS,
    usual="survey_mean_365d",
    en="The last survey answer was {survey_last}",
    he="התשובה בסקר האחרון: {survey_last}",
    missing_en=_NONE_EN,
    missing_he=_NONE_HE,
)
def survey_last(rows: Rows) -> Floats:
    """Score of the last survey answered, of whatever kind."""
    return _surveys(rows).last("value")


@signal(
    unit=NUMBER,
    direction=-1,
    needs=_SURVEYS,
    windows=(365,),
    en="Survey answers average {survey_mean_{days}d} in the last {days} days",
    he="ממוצע התשובות בסקרים ב-{days} הימים האחרונים: {survey_mean_{days}d}",
    missing_en="No survey answered in the last {days} days",
    missing_he="אין תשובות לסקרים ב-{days} הימים האחרונים",
)
def survey_mean(rows: Rows, days: int) -> Floats:
    """Mean score of the surveys answered in the last {days} days."""
    return _surveys(rows).mean("value", days)


@signal(
    unit=NUMBER,
    direction=-1,
    needs=_SURVEYS,
    en="The last survey answer changed by {survey_change} from the one before",
    he="שינוי בין שתי התשובות האחרונות בסקרים: {survey_change}",
    zero_en="The last two survey answers are the same",
    zero_he="שתי התשובות האחרונות בסקרים זהות",
    missing_en="Fewer than two survey answers",
    missing_he="פחות משתי תשובות לסקרים",
)
def survey_change(rows: Rows) -> Floats:
    """Score of the last survey less that of the one before."""
    return _surveys(rows).last("value") - _surveys(rows).last("value", nth=2)


@signal(
    unit=NUMBER,
    direction=-1,
    needs=_SURVEYS,
    en="Would recommend the shop: {nps_last} out of 10",
    he="נכונות להמליץ על החנות: {nps_last} מתוך 10",
    missing_en=_NONE_EN,
    missing_he=_NONE_HE,
)
def nps_last(rows: Rows) -> Floats:
    """Score of the last NPS survey."""
    return _surveys(rows).where("kind", "nps").last("value")


@signal(
    unit=NUMBER,
    direction=-1,
    needs=_SURVEYS,
    en="Last satisfaction score: {csat_last}",
    he="ציון שביעות הרצון האחרון: {csat_last}",
    missing_en=_NONE_EN,
    missing_he=_NONE_HE,
)
def csat_last(rows: Rows) -> Floats:
    """Score of the last CSAT survey."""
    return _surveys(rows).where("kind", "csat").last("value")


@signal(
    unit=NUMBER,
    needs=_SURVEYS,
    en="Last effort score: {ces_last}",
    he="ציון המאמץ האחרון: {ces_last}",
    missing_en=_NONE_EN,
    missing_he=_NONE_HE,
)
def ces_last(rows: Rows) -> Floats:
    """Score of the last CES survey."""
    return _surveys(rows).where("kind", "ces").last("value")


def _change(rows: Rows, kind: str) -> Floats:
    asked = _surveys(rows).where("kind", kind)
    return asked.last("value") - asked.last("value", nth=2)


@signal(
    unit=NUMBER,
    direction=-1,
    needs=_SURVEYS,
    en="The willingness to recommend changed by {nps_change} since the previous answer",
    he="שינוי בנכונות להמליץ על החנות מאז התשובה הקודמת: {nps_change}",
    zero_en="The willingness to recommend is the same as in the previous answer",
    zero_he="הנכונות להמליץ על החנות לא השתנתה מאז התשובה הקודמת",
    missing_en="Fewer than two answers to this survey",
    missing_he="פחות משתי תשובות לסקר הזה",
)
def nps_change(rows: Rows) -> Floats:
    """Score of the last NPS survey less that of the one before."""
    return _change(rows, "nps")


@signal(
    unit=NUMBER,
    direction=-1,
    needs=_SURVEYS,
    en="The satisfaction score changed by {csat_change} since the previous answer",
    he="שינוי בציון שביעות הרצון מאז התשובה הקודמת: {csat_change}",
    zero_en="The satisfaction score is the same as in the previous answer",
    zero_he="ציון שביעות הרצון לא השתנה מאז התשובה הקודמת",
    missing_en="Fewer than two answers to this survey",
    missing_he="פחות משתי תשובות לסקר הזה",
)
def csat_change(rows: Rows) -> Floats:
    """Score of the last CSAT survey less that of the one before."""
    return _change(rows, "csat")


@signal(
    unit=NUMBER,
    needs=_SURVEYS,
    en="The effort score changed by {ces_change} since the previous answer",
    he="שינוי בציון המאמץ מאז התשובה הקודמת: {ces_change}",
    zero_en="The effort score is the same as in the previous answer",
    zero_he="ציון המאמץ לא השתנה מאז התשובה הקודמת",
    missing_en="Fewer than two answers to this survey",
    missing_he="פחות משתי תשובות לסקר הזה",
)
def ces_change(rows: Rows) -> Floats:
    """Score of the last CES survey less that of the one before."""
    return _change(rows, "ces")


@signal(
    unit=DAYS,
    direction=1,
    needs=_ANSWERED,
    windows=(365,),
    en="A service request usually took {ticket_wait_median_{days}d} to close",
    he="הטיפול בפנייה לשירות נמשך בדרך כלל {ticket_wait_median_{days}d}",
    missing_en="No service request closed in the last {days} days",
    missing_he="לא נסגרו פניות לשירות ב-{days} הימים האחרונים",
)
def ticket_wait_median(rows: Rows, days: int) -> Floats:
    """Median days from opening to closing of the requests closed in the last {days} days.

    A closing answers the oldest open request of its topic, or else the oldest without a topic; one
    without a topic answers the oldest of all.
    """
    return _closed(rows).median("waited", days) / DAY_US


@signal(
    unit=DAYS,
    direction=1,
    needs=_ANSWERED,
    usual="ticket_wait_median_365d",
    en="The service request closed last had taken {ticket_wait_last}",
    he="הטיפול בפנייה שנסגרה אחרונה נמשך {ticket_wait_last}",
    missing_en="No closed service request on record",
    missing_he="לא נרשמו פניות שנסגרו",
)
def ticket_wait_last(rows: Rows) -> Floats:
    """Days from opening to closing of the request closed last; see ``ticket_wait_median``."""
    return _closed(rows).last("waited") / DAY_US


@signal(
    unit=DAYS,
    direction=1,
    needs=_ANSWERED,
    en="The oldest open service request has waited for {ticket_open_oldest}",
    he="הפנייה הפתוחה הוותיקה ביותר ממתינה לטיפול כבר {ticket_open_oldest}",
    missing_en="No open service requests",
    missing_he="אין פניות פתוחות לשירות",
)
def ticket_open_oldest(rows: Rows) -> Floats:
    """Days since the oldest request that is still open was opened; see ``ticket_wait_median``."""
    return (rows.cutoffs - rows.events("ticket_moved").last("oldest")) / DAY_US
