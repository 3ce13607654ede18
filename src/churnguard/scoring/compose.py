"""Puts a score together: number, band, segment, reasons, value and action, or why there is none.

One customer in a request and a million in the night go through the same lines; arithmetic is done
element by element on arrays, so that the numbers are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from churnguard.clock import DAY_US, to_us
from churnguard.errors import BundleMismatch
from churnguard.features.build import FeatureRows
from churnguard.policy.bands import bands
from churnguard.policy.choice import Choices, Contact, choose_actions, why_not_eligible
from churnguard.policy.rules import SignalTable
from churnguard.policy.segments import segments
from churnguard.scoring.abstention import STATUS_OF, silences, too_little_history
from churnguard.scoring.context import ScoringContext
from churnguard.scoring.reasons import from_usual
from churnguard.scoring.score import Reason, Score, SuggestedAction
from churnguard.scoring.worth import if_customers_stay, worth_of

CustomerBook = Mapping[str, Mapping[str, Any] | None]
"""By customer, the row of the customer book (``events.customers.CUSTOMER_SCHEMA``), or None."""

LastActions = Mapping[str, Mapping[str, datetime]]
"""By customer and action code, when it was last taken."""

__all__ = [
    "CustomerBook",
    "LastActions",
    "ScoringContext",
    "compose_scores",
    "score_without_number",
]

_CHANNELS = ("email", "sms", "phone", "push")


def compose_scores(
    context: ScoringContext,
    rows: FeatureRows,
    customers: CustomerBook,
    last_actions: LastActions,
    *,
    as_of: datetime,
    explain: bool | Collection[str] = False,
) -> list[Score]:
    """Score customers.

    Parameters
    ----------
    context : ScoringContext
        Model, playbook and settings.
    rows : FeatureRows
        Signals at ``as_of``, one row a customer, columns as in the catalogue.
    customers : mapping
        The customer book; a customer without a row may be left out or None, and has no consent.
    last_actions : mapping
        When actions were last taken, for cooldowns; customers without any may be left out.
    as_of : datetime
        The cutoff of the rows.
    explain : bool or collection of str
        Give reasons, and why actions are not eligible, to all or to these customers.

    Returns
    -------
    list of Score
        In the order of the rows; the numbers of a customer do not depend on the other rows.

    Raises
    ------
    BundleMismatch
        If the rows do not have the catalogue's columns.
    """
    if tuple(rows.names) != tuple(context.catalogue.names):
        raise BundleMismatch(
            "The feature rows do not have the columns that the model was trained on.",
            hint="Build the rows with the catalogue of the bundle.",
        )
    ids = [str(customer_id) for customer_id in rows.customer_ids]
    table = SignalTable.of(rows.values, rows.names)
    whys = silences(
        ids, table, customers, look_back_days=context.look_back_days, label=context.label
    )
    asked = _Asked(context, customers, last_actions, as_of, _told(explain, ids))
    spoken = _judge(asked, ids, table, whys)
    return [
        spoken.get(place)
        or score_without_number(context, customer_id, why or "too_little_history", as_of=as_of)
        for place, (customer_id, why) in enumerate(zip(ids, whys, strict=True))
    ]


def score_without_number(
    context: ScoringContext, customer_id: str, status_reason: str, *, as_of: datetime
) -> Score:
    """Return the score of a customer for whom there is no number, and so no action either.

    Parameters
    ----------
    context : ScoringContext
        Names the model, the horizon and how fresh the data are.
    customer_id : str
        Whom it is about.
    status_reason : str
        One of :data:`churnguard.scoring.score.STATUS_REASONS`.
    as_of : datetime
        The cutoff.

    Returns
    -------
    Score
    """
    return Score(
        customer_id=customer_id,
        status=STATUS_OF[status_reason],
        status_reason=status_reason,
        horizon_days=context.horizon_days,
        as_of=as_of,
        data_through=context.data_through,
        stale=context.is_stale(as_of),
        degraded=context.degraded,
        model=context.model_name,
    )


@dataclass(frozen=True)
class _Asked:
    """What was asked: the same for all customers of one call."""

    context: ScoringContext
    customers: CustomerBook
    last_actions: LastActions
    as_of: datetime
    told: frozenset[str]


@dataclass(frozen=True)
class _Judged:
    """Everything known about the customers who get a number, as arrays of one length."""

    places: list[int]  # where each stands among those asked for
    ids: list[str]
    table: SignalTable
    margins: NDArray[np.float64]
    intervals: NDArray[np.float64]
    worth: NDArray[np.float64]  # margin over the horizon and over a year, leaving counted in
    risks: NDArray[np.float64]
    contact: Contact
    choices: Choices


def _judge(
    asked: _Asked, ids: list[str], table: SignalTable, whys: Sequence[str | None]
) -> dict[int, Score]:
    """Score those who may be scored, by place; where the model says too little, there is none."""
    context = asked.context
    heard = np.array([why is None for why in whys], dtype=bool)
    table = table.rows(heard)
    if not len(table):
        return {}
    margins = context.model.margins(table.values)
    intervals = context.model.intervals(margins)
    kept = ~too_little_history(margins, intervals, widest=context.widest_interval)
    heard[heard] = kept
    table, margins, intervals = table.rows(kept), margins[kept], intervals[kept]
    places = np.flatnonzero(heard).tolist()
    if not places:
        return {}
    ids = [ids[place] for place in places]
    risks = special.expit(margins)
    if_stays = if_customers_stay(context, table, context.horizon_days)
    contact = _contact(asked, ids)
    choices = choose_actions(context.playbook, table, risks=risks, values=if_stays, contact=contact)
    worth = worth_of(context, table, risks, if_stays)
    judged = _Judged(places, ids, table, margins, intervals, worth, risks, contact, choices)
    return _write(asked, judged)


def _write(asked: _Asked, judged: _Judged) -> dict[int, Score]:
    """Turn arrays into records."""
    context = asked.context
    labels = segments(
        judged.table,
        shop_mean_spend=context.shop_mean_spend,
        look_back_days=context.look_back_days,
    )
    levels, actions = bands(judged.risks, context.bands), _actions(asked, judged)
    risks, margins = judged.risks.tolist(), judged.margins.tolist()
    intervals, worth = judged.intervals.tolist(), judged.worth.tolist()
    explained, stale = _explain(asked, judged, labels), context.is_stale(asked.as_of)
    scores = {}
    for row, place in enumerate(judged.places):
        base_margin, reasons = explained.get(row, (None, None))
        scores[place] = Score(
            customer_id=judged.ids[row],
            status="scored",
            status_reason=None,
            horizon_days=context.horizon_days,
            as_of=asked.as_of,
            data_through=context.data_through,
            churn_risk=risks[row],
            interval=(intervals[row][0], intervals[row][1]),
            band=levels[row],
            segment=labels[row],
            stale=stale,
            degraded=context.degraded,
            margin=margins[row],
            base_margin=base_margin,
            reasons=reasons,
            expected_value=worth[row][0],
            expected_value_year=worth[row][1],
            action=actions[row],
            model=context.model_name,
        )
    return scores


def _told(explain: bool | Collection[str], ids: Sequence[str]) -> frozenset[str]:  # noqa: FBT001
    if isinstance(explain, bool):
        return frozenset(ids) if explain else frozenset()
    return frozenset(explain)


def _contact(asked: _Asked, ids: Sequence[str]) -> Contact:
    """Collect consent and earlier actions; only a plain yes is consent."""
    rows = [asked.customers.get(customer_id) or {} for customer_id in ids]
    consent = {
        channel: np.array([row.get(f"consent_{channel}") is True for row in rows], dtype=bool)
        for channel in _CHANNELS
    }
    taken = {
        place: asked.last_actions[customer_id]
        for place, customer_id in enumerate(ids)
        if customer_id in asked.last_actions
    }
    return Contact(consent, taken, asked.as_of)


def _actions(asked: _Asked, judged: _Judged) -> list[SuggestedAction]:
    choices, holdout = judged.choices, asked.context.holdout
    day_us = to_us(asked.as_of) // DAY_US * DAY_US  # the same suggestion on a day is one decision
    found = []
    for place, customer_id in enumerate(judged.ids):
        action = choices.actions[choices.chosen[place]]
        group = holdout.group(customer_id)
        found.append(
            SuggestedAction(
                code=action.code,
                channel=action.channel,
                expected_gain=float(choices.gains[place]),
                cost=float(choices.costs[place]),
                basis=action.basis,
                group=group,
                propensity=holdout.propensity(group),
                decision_id=holdout.decision_id(customer_id, as_of_us=day_us, action=action.code),
                not_eligible=_not_eligible(asked, judged, place),
            )
        )
    return found


def _not_eligible(asked: _Asked, judged: _Judged, place: int) -> dict[str, str]:
    if judged.ids[place] not in asked.told:
        return {}
    return why_not_eligible(asked.context.playbook, judged.table, place, contact=judged.contact)


def _explain(
    asked: _Asked, judged: _Judged, labels: Sequence[str | None]
) -> dict[int, tuple[float, tuple[Reason, ...]]]:
    """Return base margin and reasons of the rows that are to be told."""
    told = [row for row, customer_id in enumerate(judged.ids) if customer_id in asked.told]
    if not told:
        return {}
    values = judged.table.values[told]
    contributions = from_usual(
        asked.context.model.contributions(values), asked.context.usual_contributions
    )
    reasons = asked.context.writer.reasons
    return {
        row: (float(shares[-1]), reasons(shares, numbers, segment=labels[row]))
        for row, shares, numbers in zip(told, contributions, values, strict=True)
    }
