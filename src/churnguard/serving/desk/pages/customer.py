"""The page of one customer: the risk, why, what to do, what was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from churnguard.jobs.customer_story import CustomerStory, Moment, customer_story
from churnguard.labels import ORDER_GAP
from churnguard.scoring.score import STATUS_REASONS, Reason, Score
from churnguard.serving.desk.chart import Chart, draw
from churnguard.serving.desk.pages.words import BANDS, OUTCOMES, ActionView, Words, action_view
from churnguard.serving.door import Door

STRONG_POINTS = 0.5


@dataclass(frozen=True)
class ReasonView:
    """One reason as a bar: its sentence, its points, its length from 0 to 100."""

    code: str
    text: str
    points: float
    raises: bool
    length: float


@dataclass(frozen=True)
class HistoryRow:
    """One thing that was done, by whom, with which note."""

    at: datetime
    action: str
    outcome: str
    actor: str
    note: str


@dataclass(frozen=True)
class CustomerPage:
    """One customer: the risk and what it means, why, what to do, what was done.

    Attributes
    ----------
    customer_id : str
        Whose page.
    score : Score or None
        None: nothing has been scored and there is no model.
    of_a_hundred : tuple of three int, or None
        Risk and its interval as customers of 100: low, risk, high.
    by_orders : bool
        Whether leaving means not to order; else it is told as leaving.
    band_label, segment, segment_meaning : str
        In words; empty where unknown.
    why_no_number : str
        Why there is no risk; empty when there is one.
    reasons, smaller_reasons : tuple of ReasonView
        Strongest first, raising and protecting together; apart, those below half a point.
    has_reasons : bool
        Whether reasons could be had.
    action : ActionView or None
        What is suggested.
    outcome : str
        What was reported about it, in words; empty while it is open.
    can_act : bool
        Whether outcomes may be reported: the score is today's and the customer is not held out.
    chart : Chart or None
        The year before; None without orders.
    orders : tuple of Moment
        The newest orders, newest first.
    history : tuple of HistoryRow
        What was done so far, newest first.
    listed : bool
        Whether the score is the one of today's list.
    back : str
        The list that the reader came from, as a query string.
    """

    template: ClassVar[str] = "customer.html"

    customer_id: str
    score: Score | None
    of_a_hundred: tuple[int, int, int] | None
    by_orders: bool
    band_label: str
    segment: str
    segment_meaning: str
    why_no_number: str
    reasons: tuple[ReasonView, ...]
    smaller_reasons: tuple[ReasonView, ...]
    has_reasons: bool
    action: ActionView | None
    outcome: str
    can_act: bool
    chart: Chart | None
    orders: tuple[Moment, ...]
    history: tuple[HistoryRow, ...]
    listed: bool
    back: str


def customer_page(door: Door, words: Words, customer_id: str, *, back: str) -> CustomerPage:
    """Fill a customer's page.

    Raises
    ------
    CustomerNotFound
        If the shop has no such customer.
    """

    def score_at(as_of: datetime | None) -> Score:
        return door.score([customer_id], as_of=as_of, explain=True)[0]

    story = customer_story(door.shop, customer_id, score_at=score_at)
    score = story.score
    action = action_view(score.action, words) if score and score.action else None
    segment, meaning = words.segment(score.segment if score else None)
    orders = [moment for moment in story.moments if moment.event == "order_completed"]
    strong, smaller = _reasons(score, words)
    return CustomerPage(
        customer_id=customer_id,
        score=score,
        of_a_hundred=_of_a_hundred(score),
        by_orders=door.shop.settings.label == ORDER_GAP,
        band_label=words.say(BANDS.get((score and score.band) or "", "")),
        segment=segment,
        segment_meaning=meaning,
        why_no_number=words.say(STATUS_REASONS.get((score and score.status_reason) or "", "")),
        reasons=strong,
        smaller_reasons=smaller,
        has_reasons=bool(score and score.reasons is not None),
        action=action,
        outcome=_outcome(story, words),
        can_act=story.listed and bool(action and action.decision_id and not action.held_out),
        chart=_chart(story, door, score),
        orders=tuple(orders[-8:][::-1]),
        history=tuple(_history_row(told, words) for told in story.history),
        listed=story.listed,
        back=back,
    )


def _of_a_hundred(score: Score | None) -> tuple[int, int, int] | None:
    if score is None or score.churn_risk is None:
        return None
    low, high = score.interval or (score.churn_risk, score.churn_risk)
    return round(low * 100), round(score.churn_risk * 100), round(high * 100)


def _reasons(
    score: Score | None, words: Words
) -> tuple[tuple[ReasonView, ...], tuple[ReasonView, ...]]:
    """Return the strong reasons and the smaller ones, all bars on one scale."""
    reasons = score.reasons if score and score.reasons else ()
    longest = max((abs(reason.effect_points) for reason in reasons), default=0.0) or 1.0

    def view(reason: Reason) -> ReasonView:
        return ReasonView(
            code=reason.code,
            text=words.language.pick(reason.text),
            points=reason.effect_points,
            raises=reason.effect > 0,
            length=round(100 * abs(reason.effect_points) / longest, 1),
        )

    strongest = sorted(reasons, key=lambda reason: -abs(reason.effect))
    views = [view(reason) for reason in strongest if reason.effect]
    strong = tuple(reason for reason in views if _is_strong(reason))
    return strong, tuple(views[len(strong) :])


def _is_strong(reason: ReasonView) -> bool:
    """Tell whether a reason shows half a point or more, as points are shown."""
    return round(abs(reason.points) * 100, 1) >= STRONG_POINTS


def _outcome(story: CustomerStory, words: Words) -> str:
    told = story.outcome
    return words.say(OUTCOMES[told["outcome"]]) if told else ""


def _chart(story: CustomerStory, door: Door, score: Score | None) -> Chart | None:
    until = score.as_of if score else door.shop.clock()
    return draw(story.moments, until=until, timezone=door.shop.settings.timezone)


def _history_row(told: Mapping[str, Any], words: Words) -> HistoryRow:
    return HistoryRow(
        at=told["at"],
        action=words.action_name(told["action"]),
        outcome=words.say(OUTCOMES.get(told["outcome"], told["outcome"])),
        actor=told["actor"],
        note=told.get("note") or "",
    )
