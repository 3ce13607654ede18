"""The start page of the desk: today's customers at risk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from churnguard.jobs.at_risk import at_risk
from churnguard.jobs.ports import AtRiskQuery, ScoreRun
from churnguard.policy.segments import SEGMENTS
from churnguard.scoring.score import Score
from churnguard.serving.desk.languages import N_
from churnguard.serving.desk.pages.words import BANDS, ActionView, Words, action_view
from churnguard.serving.door import Door

ROWS = 25
SHOWN = {"open": N_("Open"), "done": N_("Handled"), "all": N_("All")}
SORTS = {"expected_gain": N_("Expected gain"), "risk": N_("Risk")}


@dataclass(frozen=True)
class Choice:
    """One option of a filter: its value, its label, whether it is chosen."""

    value: str
    label: str
    chosen: bool


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
        action=action_view(score.action, words) if score.action else None,
        handled=handled,
    )
