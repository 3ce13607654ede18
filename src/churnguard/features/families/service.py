"""Service: open requests, and what the customer said when asked.

A request counts as open while more have been opened than closed. Surveys keep their own scale;
their ``kind`` is nps, csat or ces.
"""

from __future__ import annotations

import numpy as np

from churnguard.features.rows import EventRows, Floats, Rows
from churnguard.features.signal import signal
from churnguard.features.units import DAYS, NUMBER, TICKETS

_TICKETS = ("support_ticket_opened",)
_SURVEYS = ("survey_answered",)
_NONE_EN = "No survey answer on record"
_NONE_HE = "לא נרשמו תשובות לסקרים"


def _surveys(rows: Rows) -> EventRows:
    return rows.events("survey_answered").known("value")


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
