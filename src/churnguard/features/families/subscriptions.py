"""Subscriptions: whether one runs, since when, how often renewed and cancelled.

One runs from ``subscription_started`` or ``subscription_renewed`` until ``subscription_cancelled``;
one that begins at the instant at which another is cancelled goes on. A shop that never renews, or
never yet cancelled, has the signals that need no such event.
"""

from __future__ import annotations

import numpy as np

from churnguard.features.rows import Floats, Gaps, Rows, ratio
from churnguard.features.signal import signal
from churnguard.features.units import DAYS, OCCASIONS, TIMES

_STARTED = ("subscription_started",)
_RENEWED = ("subscription_started", "subscription_renewed")
_CANCELLED = ("subscription_started", "subscription_cancelled")
_NONE_EN = "No subscription is running"
_NONE_HE = "אין מנוי פעיל"


def _running(rows: Rows) -> Floats:
    """Return days since the running subscription was begun or renewed, NaN where none runs."""
    began = np.fmin(
        rows.events("subscription_started").since_last(),
        rows.events("subscription_renewed").since_last(),
    )
    ended = rows.events("subscription_cancelled").since_last()
    return np.where(began <= np.where(np.isnan(ended), np.inf, ended), began, np.nan)


def _gaps(rows: Rows) -> Gaps:
    return rows.events("subscription_renewed").gaps()


@signal(
    unit=DAYS,
    needs=_STARTED,
    usual="renewal_gap_median",
    en="The subscription was begun or renewed {days_since_renewal} ago",
    he="המנוי החל או חודש לפני {days_since_renewal}",
    missing_en=_NONE_EN,
    missing_he=_NONE_HE,
)
def days_since_renewal(rows: Rows) -> Floats:
    """Days since the running subscription was begun or last renewed; missing where none runs."""
    return _running(rows)


@signal(
    unit=DAYS,
    needs=_RENEWED,
    en="Usually renews {renewal_gap_median:every}",
    he="בדרך כלל מחדש {renewal_gap_median:every}",
    missing_en="Too few renewals to show a habit",
    missing_he="מעט מדי חידושים כדי לזהות הרגל",
)
def renewal_gap_median(rows: Rows) -> Floats:
    """Median of the days between renewals."""
    return _gaps(rows).median()


@signal(
    unit=TIMES,
    direction=1,
    needs=_RENEWED,
    en="The subscription was renewed {days_since_renewal} ago; usually {renewal_gap_median:every}",
    he="המנוי חודש לפני {days_since_renewal}; בדרך כלל {renewal_gap_median:every}",
    missing_en="Too few renewals to show a habit",
    missing_he="מעט מדי חידושים כדי לזהות הרגל",
)
def renewal_gap_ratio(rows: Rows) -> Floats:
    """Days since the running subscription was begun or renewed, against the usual gap."""
    return ratio(_running(rows), _gaps(rows).median())


@signal(
    unit=DAYS,
    direction=-1,
    needs=_STARTED,
    en="First subscribed {days_since_first_subscription} ago",
    he="המנוי הראשון החל לפני {days_since_first_subscription}",
    missing_en="No subscription on record",
    missing_he="לא נרשם מנוי",
)
def days_since_first_subscription(rows: Rows) -> Floats:
    """Days since the first subscription began."""
    return rows.events("subscription_started").since_first()


@signal(
    unit=OCCASIONS,
    direction=-1,
    needs=_RENEWED,
    windows=(365,),
    en="Renewed the subscription {subscription_renewals_{days}d} in the last {days} days",
    he="המנוי חודש {subscription_renewals_{days}d} ב-{days} הימים האחרונים",
    zero_en="Has not renewed a subscription in the last {days} days",
    zero_he="המנוי לא חודש ב-{days} הימים האחרונים",
)
def subscription_renewals(rows: Rows, days: int) -> Floats:
    """Times a subscription was renewed in the last {days} days."""
    return rows.events("subscription_renewed").count(days)


@signal(
    unit=OCCASIONS,
    direction=1,
    needs=_CANCELLED,
    windows=(365,),
    en="Cancelled a subscription {subscription_cancellations_{days}d} in the last {days} days",
    he="המנוי בוטל {subscription_cancellations_{days}d} ב-{days} הימים האחרונים",
    zero_en="Has not cancelled a subscription in the last {days} days",
    zero_he="המנוי לא בוטל ב-{days} הימים האחרונים",
)
def subscription_cancellations(rows: Rows, days: int) -> Floats:
    """Times a subscription was cancelled in the last {days} days."""
    return rows.events("subscription_cancelled").count(days)
