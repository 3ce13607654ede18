"""Lifetime: "buy till you die" models fitted over all customers.

Frequency, recency and age are in days and of visits: orders less than a day after the start of a
visit belong to it. A row takes the fit of the shop-local first of its cutoff's month, made from
what was known then; there is none, and nothing to say, while fewer than 20 customers have ordered,
or fewer than 10 of them twice.

BG/NBD calls every one-time buyer alive (Fader, Hardie: "Computing P(alive) using the BG/NBD model",
2008); MBG/NBD does not (Batislam, Denizel, Filiztekin 2007). Both are told to the model; what a
manager reads of the chance to come back, and of spend to expect, is by MBG/NBD.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from churnguard.features.btyd import BgNbd, MbgNbd
from churnguard.features.gamma_gamma import GammaGamma
from churnguard.features.population import PARAMETERS
from churnguard.features.rows import Floats, Rows, days_between
from churnguard.features.signal import signal
from churnguard.features.units import MONEY, NUMBER, SHARE

HORIZON_DAYS = 90.0

_NEEDS = ("order_completed",)
_MISSING_EN = "Too little history for an estimate by order rhythm"
_MISSING_HE = "מעט מדי היסטוריה לאומדן לפי קצב ההזמנות"
_NO_VALUE_EN = "Too few orders with a known value to say what to expect"
_NO_VALUE_HE = "מעט מדי הזמנות בסכום ידוע כדי להעריך למה לצפות"


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
    return _shared(rows).bgnbd.churn_risk


@signal(
    version=2,
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
    return _shared(rows).bgnbd.expected_orders


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
    return _shared(rows).mbgnbd.churn_risk


@signal(
    version=2,
    unit=NUMBER,
    direction=-1,
    needs=_NEEDS,
    en="Orders to be expected in the next 90 days by rhythm alone: {mbgnbd_expected_orders_90d}",
    he="לפי קצב ההזמנות בלבד, מספר ההזמנות הצפוי ב-90 הימים הבאים: {mbgnbd_expected_orders_90d}",
    missing_en=_MISSING_EN,
    missing_he=_MISSING_HE,
    told_as="days_since_order",
)
def mbgnbd_expected_orders_90d(rows: Rows) -> Floats:
    """Orders expected in the next 90 days by MBG/NBD (Batislam, Denizel, Filiztekin 2007)."""
    return _shared(rows).mbgnbd.expected_orders


@signal(
    unit=SHARE,
    direction=-1,
    needs=_NEEDS,
    en="By order rhythm alone, the chance that the customer is still one is {mbgnbd_alive}",
    he="לפי קצב ההזמנות בלבד, ההסתברות שהלקוח עדיין פעיל: {mbgnbd_alive}",
    missing_en=_MISSING_EN,
    missing_he=_MISSING_HE,
    told_as="days_since_order",
)
def mbgnbd_alive(rows: Rows) -> Floats:
    """P(has not left for good) by MBG/NBD; below 1 for one-time buyers too, unlike BG/NBD."""
    return _shared(rows).mbgnbd.alive


@signal(
    unit=MONEY,
    needs=_NEEDS,
    en="An order is expected to come to {expected_order_value}",
    he="סכום צפוי להזמנה: {expected_order_value}",
    missing_en=_NO_VALUE_EN,
    missing_he=_NO_VALUE_HE,
)
def expected_order_value(rows: Rows) -> Floats:
    """Value expected of the next orders by Gamma-Gamma (Fader, Hardie 2013, eq. 5).

    The customer's own mean, drawn towards the shop's while the orders are few.
    """
    return _shared(rows).order_value


@signal(
    version=2,
    unit=MONEY,
    direction=-1,
    needs=_NEEDS,
    en="Expected to spend {expected_spend_90d} in the next 90 days, by rhythm and value of orders",
    he="הוצאה צפויה ב-90 הימים הבאים, לפי קצב ההזמנות וסכומן: {expected_spend_90d}",
    missing_en=_NO_VALUE_EN,
    missing_he=_NO_VALUE_HE,
)
def expected_spend_90d(rows: Rows) -> Floats:
    """Orders expected in the next 90 days by MBG/NBD, times their value by Gamma-Gamma."""
    shared = _shared(rows)
    return shared.mbgnbd.expected_orders * shared.order_value


class _Outlook:
    """What one model says of some rows, each part computed when first asked for."""

    def __init__(self, model: BgNbd, history: tuple[Floats, Floats, Floats]) -> None:
        self._model = model
        self._history = history

    @cached_property
    def alive(self) -> Floats:
        return self._model.p_alive(*self._history)

    @cached_property
    def churn_risk(self) -> Floats:
        return self._model.churn_risk(*self._history, HORIZON_DAYS, alive=self.alive)

    @cached_property
    def expected_orders(self) -> Floats:
        return self._model.expected_orders(*self._history, HORIZON_DAYS, alive=self.alive)


class _Lifetime:
    """What the signals of this family share: each row's fit, and its orders; NaN without either."""

    def __init__(self, rows: Rows) -> None:
        fits = np.full((len(PARAMETERS), len(rows)), np.nan)
        if rows.population is not None:
            fits = rows.population.parameters_at(rows.cutoffs).T
        self._orders = rows.events("order_completed")
        visits = self._orders.visits()
        age = visits.since_first()
        repeats = np.where(np.isnan(age), np.nan, visits.count() - 1.0)
        history = repeats, days_between(visits.first_at(), visits.last_at()), age
        self.bgnbd = _Outlook(BgNbd(*fits[:4]), history)
        self.mbgnbd = _Outlook(MbgNbd(*fits[4:8]), history)
        self._value = GammaGamma(*fits[8:])
        self._none = np.isnan(age)

    @cached_property
    def order_value(self) -> Floats:
        orders = self._orders.known("value")
        value = self._value.expected_value(orders.visits().count(), orders.sum("value"))
        return np.where(self._none, np.nan, value)


def _shared(rows: Rows) -> _Lifetime:
    return rows.once("lifetime", _Lifetime)
