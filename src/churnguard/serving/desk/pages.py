"""What each page of the desk shows: one documented dataclass a page, one function that fills it.

The same values leave as JSON with ``?format=json``. Texts that a shop or a model wrote are already
in the reader's language here; the pages' own words are in the templates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from churnguard.jobs.at_risk import at_risk
from churnguard.jobs.customer_story import CustomerStory, Moment, customer_story
from churnguard.jobs.ports import AtRiskQuery, ScoreRun
from churnguard.labels import ORDER_GAP
from churnguard.policy.playbook import LEAVE_ALONE, Playbook
from churnguard.policy.segments import SEGMENTS
from churnguard.scoring.score import STATUS_REASONS, Reason, Score, SuggestedAction
from churnguard.serving.desk.chart import Chart, draw
from churnguard.serving.desk.languages import N_, Language
from churnguard.serving.door import Door

ROWS = 25
STRONG_POINTS = 0.5
BANDS = {"high": N_("High"), "medium": N_("Medium"), "low": N_("Low")}
SHOWN = {"open": N_("Open"), "done": N_("Handled"), "all": N_("All")}
SORTS = {"expected_gain": N_("Expected gain"), "risk": N_("Risk")}
OUTCOMES = {
    "contacted": N_("Done"),
    "converted": N_("Came back"),
    "dismissed": N_("Dismissed"),
    "snoozed": N_("Not now"),
    "reopened": N_("Taken back"),
}
CHANNELS = {
    "email": N_("E-mail"),
    "sms": N_("Text message"),
    "phone": N_("Phone"),
    "push": N_("App message"),
    "onsite": N_("On the site"),
    "none": N_("None"),
}
REFUSALS = {
    "damaged": N_("Its files are damaged or incomplete."),
    "untrusted": N_("It is not signed by anybody whom this shop trusts."),
    "other_signals": N_("It was made for other customer signals than are known here."),
    "other_numbers": N_("On its own test customers it gives other numbers here."),
    "says_nothing": N_("It gives no customer a number, or the same number to all."),
    "other_label": N_("It means something else by leaving than this shop does."),
    "crashes": N_("It failed when it was tried out on its own."),
    "missing": N_("Its files are not here."),
    "unloadable": N_("It could not be loaded."),
}
"""Why a new model was not put to use, for people who do not look after models."""
EVENTS = {
    "order_completed": N_("Order"),
    "order_refunded": N_("Refund"),
    "signed_in": N_("Visit"),
    "support_ticket_opened": N_("Support ticket"),
}


@dataclass(frozen=True)
class Choice:
    """One option of a filter: its value, its label, whether it is chosen."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class ActionView:
    """A suggested action in words.

    Attributes
    ----------
    code, name, description, message : str
        From the playbook; the code stands in where the playbook does not know it.
    channel : str
        How it reaches the customer.
    expected_gain, cost : float
        Money.
    worth_it : bool
        False for leaving alone.
    held_out : bool
        The customer is in the control group: do not contact.
    learned : bool
        The gain rests on outcomes, not on a prior guess.
    decision_id : str or None
        What an outcome is reported to.
    """

    code: str
    name: str
    description: str
    message: str
    channel: str
    expected_gain: float
    cost: float
    worth_it: bool
    held_out: bool
    learned: bool
    decision_id: str | None


@dataclass(frozen=True)
class Row:
    """One customer in the list."""

    customer_id: str
    churn_risk: float
    interval: tuple[float, float] | None
    band: str
    band_label: str
    segment: str
    reason: str
    expected_value: float | None
    action: ActionView | None
    handled: bool


@dataclass(frozen=True)
class AtRiskListPage:
    """The start page: today's customers at risk, most worth saving first.

    Attributes
    ----------
    run : ScoreRun or None
        The batch shown; None: nothing has been scored yet.
    has_model : bool
        Whether a champion is loaded.
    high, scored : int
        Customers at high risk, and with a number, in the batch.
    expected_gain : float
        What all suggested actions together are expected to bring in.
    bands, actions, segments, shown, sorts : tuple of Choice
        The filters, with what is chosen.
    filtered : bool
        Whether any filter is set.
    rows : tuple of Row
        One page of the list.
    total : int
        How many match.
    next_query, here_query : str
        Query strings of the next page (empty: there is none) and of this one.
    later : bool
        Whether this is not the first page.
    held_out_share : float
        Share of the customers that is held out.
    """

    template: ClassVar[str] = "at_risk.html"

    run: ScoreRun | None
    has_model: bool
    high: int
    scored: int
    expected_gain: float
    bands: tuple[Choice, ...]
    actions: tuple[Choice, ...]
    segments: tuple[Choice, ...]
    shown: tuple[Choice, ...]
    sorts: tuple[Choice, ...]
    filtered: bool
    rows: tuple[Row, ...]
    total: int
    next_query: str
    here_query: str
    later: bool
    held_out_share: float


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


@dataclass(frozen=True)
class SignInPage:
    """The door: a field for an API key.

    Attributes
    ----------
    refused : bool
        Whether a key has just been refused.
    next_path : str
        Where to go afterwards.
    """

    template: ClassVar[str] = "sign_in.html"

    refused: bool
    next_path: str


@dataclass(frozen=True)
class ProblemPage:
    """Something did not work.

    Attributes
    ----------
    status : int
        The HTTP status.
    title, detail, hint : str
        What, and what to do.
    request_id : str
        What to name when reporting it.
    """

    template: ClassVar[str] = "problem.html"

    status: int
    title: str
    detail: str
    hint: str
    request_id: str


PAGES = (AtRiskListPage, CustomerPage, SignInPage, ProblemPage)
"""Every page there is."""


@dataclass(frozen=True)
class Words:
    """The reader's language together with what the playbook says in it."""

    language: Language
    playbook: Playbook | None

    def say(self, text: str) -> str:
        """Translate one of the desk's own texts."""
        return str(self.language.words.gettext(text)) if text else ""

    def action_name(self, code: str) -> str:
        """Name an action; the code itself where the playbook has none."""
        known = self.playbook.by_code.get(code) if self.playbook else None
        return self.language.pick(known.name) if known else code.replace("_", " ")

    def segment(self, code: str | None) -> tuple[str, str]:
        """Name a segment and tell what it means."""
        for segment in SEGMENTS:
            if segment.code == code:
                return self.language.pick(segment.name), self.language.pick(segment.meaning)
        return (code or "").replace("_", " "), ""


def at_risk_page(
    door: Door, words: Words, query: AtRiskQuery, *, page_token: str, queries: tuple[str, str]
) -> AtRiskListPage:
    """Fill the start page.

    Parameters
    ----------
    door : Door
        The shop.
    words : Words
        The reader's.
    query : AtRiskQuery
        The filters.
    page_token : str
        Which page of the list.
    queries : tuple of two str
        The filters as a query string, and the same with this page's token.
    """
    page = at_risk(door.shop, query, page_token=page_token)
    summary: Mapping[str, Any] = door.shop.scores.run_summary() or {}
    base, here = queries
    token = f"page_token={page.next_page_token}" if page.next_page_token else ""
    codes = [action.code for action in words.playbook.actions] if words.playbook else []
    names = {code: words.action_name(code) for code in codes}
    parts = {segment.code: words.segment(segment.code)[0] for segment in SEGMENTS}
    return AtRiskListPage(
        run=page.run,
        has_model=door.champion.current() is not None,
        high=summary.get("bands", {}).get("high", 0),
        scored=summary.get("statuses", {}).get("scored", 0),
        expected_gain=summary.get("expected_gain", 0.0),
        bands=_choices(BANDS, query.band, words),
        actions=_choices(names, query.action, words),
        segments=_choices(parts, query.segment, words),
        shown=_choices(SHOWN, query.outcome, words),
        sorts=_choices(SORTS, query.sort, words),
        filtered=bool(base),
        rows=tuple(_row(score, words, handled=query.outcome == "done") for score in page.scores),
        total=page.total,
        next_query="&".join(filter(None, (base, token))) if token else "",
        here_query=here,
        later=bool(page_token),
        held_out_share=door.shop.settings.control_share,
    )


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
    action = _action(score.action, words) if score and score.action else None
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


def _choices(labels: Mapping[str, str], chosen: str | None, words: Words) -> tuple[Choice, ...]:
    return tuple(
        Choice(value, words.say(label), value == chosen) for value, label in labels.items()
    )


def _row(score: Score, words: Words, *, handled: bool) -> Row:
    reasons = sorted(score.reasons or (), key=lambda reason: -reason.effect)
    return Row(
        customer_id=score.customer_id,
        churn_risk=score.churn_risk or 0.0,
        interval=score.interval,
        band=score.band or "",
        band_label=words.say(BANDS.get(score.band or "", "")),
        segment=words.segment(score.segment)[0],
        reason=words.language.pick(reasons[0].text) if reasons else "",
        expected_value=score.expected_value,
        action=_action(score.action, words) if score.action else None,
        handled=handled,
    )


def _action(action: SuggestedAction, words: Words) -> ActionView:
    known = words.playbook.by_code.get(action.code) if words.playbook else None
    return ActionView(
        code=action.code,
        name=words.action_name(action.code),
        description=words.language.pick(known.description) if known else "",
        message=words.language.pick(known.message) if known else "",
        channel=words.say(CHANNELS.get(action.channel, "")) or action.channel,
        expected_gain=action.expected_gain,
        cost=action.cost,
        worth_it=action.code != LEAVE_ALONE,
        held_out=action.group == "control",
        learned=action.basis == "learned",
        decision_id=action.decision_id,
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
