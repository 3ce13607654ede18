"""Calendar: the season at the cutoff, and what the customer did in the same weeks last year.

The season is an angle, the time since the turn of the year 1970 in years of 365.2425 days, so it
needs no calendar and hardly depends on the time zone.
"""

from __future__ import annotations

import numpy as np

from churnguard.features.rows import Floats, Rows
from churnguard.features.signal import signal
from churnguard.features.units import MONEY, NUMBER, ORDERS

_NEEDS = ("order_completed",)
_SEASON_EN = "The time of year"
_SEASON_HE = "עונת השנה"


@signal(unit=NUMBER, needs=_NEEDS, en=_SEASON_EN, he=_SEASON_HE)
def season_sin(rows: Rows) -> Floats:
    """Sine of the time of year: 1 at the end of March, -1 at the end of September."""
    return np.ascontiguousarray(rows.season[0])


@signal(unit=NUMBER, needs=_NEEDS, en=_SEASON_EN, he=_SEASON_HE)
def season_cos(rows: Rows) -> Floats:
    """Cosine of the time of year: 1 at the turn of the year, -1 at midsummer."""
    return np.ascontiguousarray(rows.season[1])


@signal(unit=NUMBER, needs=_NEEDS, en=_SEASON_EN, he=_SEASON_HE)
def half_season_sin(rows: Rows) -> Floats:
    """Sine of twice the angle of the time of year, for shops with two seasons a year."""
    return np.ascontiguousarray(rows.season[2])


@signal(unit=NUMBER, needs=_NEEDS, en=_SEASON_EN, he=_SEASON_HE)
def half_season_cos(rows: Rows) -> Floats:
    """Cosine of twice the angle of the time of year, for shops with two seasons a year."""
    return np.ascontiguousarray(rows.season[3])


@signal(
    unit=ORDERS,
    direction=-1,
    needs=_NEEDS,
    en="{orders_last_year_90d} in the 90 days from this date last year",
    he="{orders_last_year_90d} ב-90 הימים שאחרי התאריך הזה בשנה שעברה",
)
def orders_last_year_90d(rows: Rows) -> Floats:
    """Orders from 365 to 275 days ago: the 90 days ahead, a year earlier."""
    return rows.events("order_completed").count(365, until=275)


@signal(
    unit=MONEY,
    direction=-1,
    needs=_NEEDS,
    en="Spent {spend_last_year_90d} in the 90 days from this date last year",
    he="הוצאה של {spend_last_year_90d} ב-90 הימים שאחרי התאריך הזה בשנה שעברה",
    zero_en="Spent nothing in the 90 days from this date last year",
    zero_he="לא נרשמה הוצאה ב-90 הימים שאחרי התאריך הזה בשנה שעברה",
)
def spend_last_year_90d(rows: Rows) -> Floats:
    """Spend from 365 to 275 days ago: the 90 days ahead, a year earlier."""
    return rows.events("order_completed").sum("value", 365, until=275)
