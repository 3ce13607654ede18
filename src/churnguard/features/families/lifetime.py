"""Lifetime: "buy till you die" models fitted over all customers; see ``churnguard.features.btyd``.

BG/NBD calls every one-time buyer alive; MBG/NBD does not, and both are told to the model.
"""

from __future__ import annotations

import numpy as np

from churnguard.features.rows import Floats, Rows, days_between
from churnguard.features.signal import signal
from churnguard.features.units import NUMBER, SHARE

HORIZON_DAYS = 90.0

_NEEDS = ("order_completed",)
_MISSING_EN = "Too little history for an estimate by order rhythm"
_MISSING_HE = "מעט מדי היסטוריה לאומדן לפי קצב ההזמנות"


@signal(
    unit=SHARE,
    direction=1,
    needs=_NEEDS,
    en="By order rhythm alone, the risk of no order in the next 90 days is {bgnbd_churn_risk}",
    he="לפי קצב ההזמנות בלבד, הסיכון שלא תבוצע הזמנה ב-90 הימים הבאים: {bgnbd_churn_risk}",
    missing_en=_MISSING_EN,
    missing_he=_MISSING_HE,
    told_as="days_since_order",
)
def bgnbd_churn_risk(rows: Rows) -> Floats:
    """P(no order in the next 90 days) by BG/NBD (Fader, Hardie, Lee 2005)."""
    return _lifetime(rows, "bgnbd", "churn_risk")


@signal(
    unit=NUMBER,
    direction=-1,
    needs=_NEEDS,
    en="Orders to be expected in the next 90 days by rhythm alone: {bgnbd_expected_orders_90d}",
    he="לפי קצב ההזמנות בלבד, מספר ההזמנות הצפוי ב-90 הימים הבאים: {bgnbd_expected_orders_90d}",
    missing_en=_MISSING_EN,
    missing_he=_MISSING_HE,
    told_as="days_since_order",
)
def bgnbd_expected_orders_90d(rows: Rows) -> Floats:
    """Orders expected in the next 90 days by BG/NBD (Fader, Hardie, Lee 2005, eq. 10)."""
    return _lifetime(rows, "bgnbd", "expected_orders")


@signal(
    unit=SHARE,
    direction=1,
    needs=_NEEDS,
    en="By order rhythm alone, the risk of no order in the next 90 days is {mbgnbd_churn_risk}",
    he="לפי קצב ההזמנות בלבד, הסיכון שלא תבוצע הזמנה ב-90 הימים הבאים: {mbgnbd_churn_risk}",
    missing_en=_MISSING_EN,
    missing_he=_MISSING_HE,
    told_as="days_since_order",
)
def mbgnbd_churn_risk(rows: Rows) -> Floats:
    """P(no order in the next 90 days) by MBG/NBD (Batislam, Denizel, Filiztekin 2007)."""
    return _lifetime(rows, "mbgnbd", "churn_risk")


def _lifetime(rows: Rows, kind: str, measure: str) -> Floats:
    """Return a closed form of the fit that each row's cutoff uses; NaN without fit or order."""
    risks = np.full(len(rows), np.nan)
    if rows.population is None:
        return risks
    visits = rows.events("order_completed").visits()
    age, repeats = visits.since_first(), visits.count() - 1.0
    recency = days_between(visits.first_at(), visits.last_at())
    fits = rows.population.at(rows.cutoffs)
    for place in set(fits[fits >= 0].tolist()):
        models = rows.population.lifetime(place)
        if models is not None:
            mine = np.flatnonzero((fits == place) & (repeats >= 0))
            ask = getattr(getattr(models, kind), measure)
            risks[mine] = ask(repeats[mine], recency[mine], age[mine], HORIZON_DAYS)
    return risks
