"""Horizon: how long a silence should be before one says "lost", by what happened in this shop.

A short window gives fresh labels and many who come back anyway; a long one is surer and later. The
advisor measures both for each choice and says which it would take, and why.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from churnguard.clock import DAY_US, from_us
from churnguard.errors import InvalidRequest
from churnguard.jobs.horizon_report import Choice, HorizonReport
from churnguard.jobs.lesson import newest_mature, refuse_unseen
from churnguard.jobs.ports import Progress, Shop, silent
from churnguard.jobs.snapshots import History, read_history
from churnguard.labels import Label, label_named
from churnguard.labels.kaplan_meier import kaplan_meier
from churnguard.labels.silence import LOST_RULES, LostRule, Silences, silences

FOLLOW_UP_DAYS = 365
ACCEPTED = 0.25
LEAST_LOST = 100
"""A share measured on fewer silences than this is told, but nothing is recommended by it."""
LEAST_WATCHED = 20
"""A share is told up to the day on which so many were still watched."""
_MONTH_DAYS, _YEAR_DAYS = 30, 365


def horizon(
    shop: Shop,
    *,
    follow_up_days: int = FOLLOW_UP_DAYS,
    accepted: float = ACCEPTED,
    out: Path | None = None,
    progress: Progress = silent,
) -> HorizonReport:
    """Compare definitions of churn.

    Parameters
    ----------
    shop : Shop
        An opened project; nothing in it is changed.
    follow_up_days : int
        "Came back" means: within so many days of having been called lost.
    accepted : float
        The share of those called lost that may come back; between 0 and 1.
    out : Path, optional
        A folder for the plot and the table.
    progress : callable
        Told what is being done.

    Raises
    ------
    InvalidRequest
        If ``accepted`` or ``follow_up_days`` cannot be used, ``out`` is a file, or the project's
        label tells of an end that nobody needs to guess.
    NotEnoughHistory
        If there are no events, or none of those that the label looks at.
    """
    if not 0 < accepted < 1 or follow_up_days < 1:
        raise InvalidRequest(
            "The accepted share lies between 0 and 1, and the follow-up is a day or more.",
            hint="Say --accept 0.25 --follow-up 365.",
        )
    if out is not None and out.exists() and not out.is_dir():
        raise InvalidRequest(f"{out} is a file, not a folder.", hint="Name a folder with --out.")
    label = label_named(shop.settings.label)
    event = _silent(label)
    history = read_history(shop, known_before=shop.clock(), progress=progress)
    refuse_unseen(label, history.event_counts)
    progress("measuring silences", 0, None)
    report = compare(
        silences(history.timelines, history.data_end, event=event),
        end_us=history.data_end,
        follow_up_days=follow_up_days,
        accepted=accepted,
    )
    report = replace(
        report,
        choices=tuple(_labelled(shop, history, choice) for choice in report.choices),
        horizon_days=shop.settings.horizon_days,
        data_from=history.data_from,
        data_through=history.data_through,
    )
    if out is not None:
        from churnguard.jobs.horizon_plot import write_horizon

        report = replace(report, files=write_horizon(report, out))
    return report


def compare(
    found: Silences,
    *,
    end_us: int,
    follow_up_days: int = FOLLOW_UP_DAYS,
    accepted: float = ACCEPTED,
) -> HorizonReport:
    """Measure every rule on a shop's silences.

    Parameters
    ----------
    found : Silences
        From :func:`churnguard.labels.silence.silences`.
    end_us : int
        The end of the data, microseconds UTC.
    follow_up_days, accepted
        As in :func:`horizon`.
    """
    choices = tuple(
        _measured(rule, found, end_us=end_us, follow_up_days=follow_up_days) for rule in LOST_RULES
    )
    return HorizonReport(
        choices=choices,
        follow_up_days=follow_up_days,
        accepted=accepted,
        customers=len(np.unique(found.customer)),
    )


def _silent(label: Label) -> str:
    """Return the event whose absence the label looks at."""
    if label.event is None:
        raise InvalidRequest(
            f"By the label '{label.name}' churn has a date of its own: there is no silence to "
            "choose from.",
            hint="To look at orders instead, set CHURNGUARD_LABEL=order_gap for this command.",
        )
    return label.event


def _measured(rule: LostRule, found: Silences, *, end_us: int, follow_up_days: int) -> Choice:
    limit = rule.threshold(found)
    lost = found.days >= limit  # false where the rule has nothing to say
    curve = kaplan_meier((found.days - limit)[lost], found.ended[lost])
    watched_days = _watched_days(curve.waited)
    day = min(float(follow_up_days), watched_days)
    told = len(curve) >= LEAST_WATCHED and day > 0
    low, high = curve.interval(day) if told else (None, None)
    lost_at = found.began[lost] + limit[lost] * DAY_US
    year = min(float(_YEAR_DAYS), (end_us - int(found.began.min(initial=end_us))) / DAY_US)
    recent = int((lost_at >= end_us - year * DAY_US).sum())
    open_limit = limit[~found.ended & ~np.isnan(limit)]
    return Choice(
        code=rule.code,
        text=rule.text,
        window_days=rule.window_days,
        times_lost=len(curve),
        customers_lost=len(np.unique(found.customer[lost])),
        returned=curve.share(day) if told else None,
        returned_low=low,
        returned_high=high,
        returned_within_days=int(day) if told else None,
        enough=len(curve) >= LEAST_LOST and watched_days >= follow_up_days,
        label_age_days=float(np.quantile(open_limit, 0.9)) if len(open_limit) else None,
        usual_days=float(np.median(open_limit)) if len(open_limit) else None,
        covers=len(open_limit) / max(int((~found.ended).sum()), 1),
        lost_now=int((lost & ~found.ended).sum()),
        newly_lost_a_month=recent * _MONTH_DAYS / year if year else None,
        curve=_steps(curve.days, curve.returned, day) if told else (),
    )


def _watched_days(waited: Any) -> float:
    """Return until which day at least ``LEAST_WATCHED`` were watched."""
    return float(waited[-LEAST_WATCHED]) if len(waited) >= LEAST_WATCHED else 0.0


def _steps(days: Any, returned: Any, until: float) -> tuple[tuple[float, float], ...]:
    """Return the curve at whole weeks: it is an aggregate, not a list of customers."""
    weeks = np.append(np.arange(0.0, until, 7.0), until)
    places = np.searchsorted(days, weeks, side="right") - 1
    shares = np.where(places >= 0, returned[np.maximum(places, 0)], 0.0) if len(days) else 0 * weeks
    return tuple(zip(weeks.tolist(), shares.tolist(), strict=True))


def _labelled(shop: Shop, history: History, choice: Choice) -> Choice:
    """Add what the newest usable label of a window would be: its date, and who is churned by it."""
    if choice.window_days is None:
        return choice
    settings = shop.settings
    newest = newest_mature(history.data_end, choice.window_days, settings.timezone)
    label, everybody, gone = label_named(settings.label), 0, 0
    for timeline in history.timelines:
        codes = label.eligible(timeline, newest, settings.look_back_days)
        instants = np.full(len(codes), newest, dtype=np.int64)
        everybody += len(codes)
        gone += int(label.churned(timeline, codes, instants, choice.window_days).sum())
    return replace(
        choice,
        newest_label=from_us(newest),
        eligible=everybody,
        churned=gone,
    )
