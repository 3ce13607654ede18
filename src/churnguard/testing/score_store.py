"""A score store in memory, with the promises of the real one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from churnguard.clock import to_us
from churnguard.errors import DecisionNotFound
from churnguard.jobs.ports import AtRiskQuery, Outcome, ScoreRun
from churnguard.scoring.abstention import book_reason
from churnguard.scoring.score import Score, SuggestedAction
from churnguard.testing.event_store import FakeEventStore
from churnguard.training.treatment import TREATMENT_SCHEMA


@dataclass
class _Decision:
    """One stored decision and what became of it, oldest outcome first."""

    customer_id: str
    action: SuggestedAction
    decided_at: datetime
    outcomes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return not self.outcomes or self.outcomes[-1]["outcome"] == "reopened"

    def treated_at(self, before: datetime) -> int | None:
        """When the customer was contacted, microseconds; None where that did not happen."""
        contacts = [
            to_us(row["at"])
            for row in self.outcomes
            if row["outcome"] in ("contacted", "converted") and row["at"] < before
        ]
        return None if self.is_open or not contacts else min(contacts)


class FakeScoreStore:
    """Keep batches, decisions and outcomes in dictionaries.

    Parameters
    ----------
    events : FakeEventStore, optional
        Whose customer book tells of whom no score is listed.

    Examples
    --------
    >>> from churnguard.testing import build_run, build_score
    >>> store = FakeScoreStore()
    >>> store.save_run(build_run(), [build_score("C1"), build_score("C2", churn_risk=0.2)])
    >>> store.at_risk(AtRiskQuery(min_risk=0.5))[1]
    1
    """

    def __init__(self, events: FakeEventStore | None = None) -> None:
        self._events = events or FakeEventStore()
        self._runs: list[tuple[ScoreRun, dict[str, Score]]] = []
        self._decisions: dict[str, _Decision] = {}

    @property
    def outcome_count(self) -> int:
        """How many outcomes were reported."""
        return sum(len(decision.outcomes) for decision in self._decisions.values())

    def save_run(self, run: ScoreRun, scores: Sequence[Score]) -> None:
        """Store a batch and its decisions."""
        named = [_with_decision_id(score, run.run_id) for score in scores]
        self._runs.append((run, {score.customer_id: score for score in named}))
        self.save_decisions(named)

    def save_decisions(self, scores: Sequence[Score]) -> None:
        """Store the decisions of scores given outside a batch."""
        for score in scores:
            if score.action is not None and score.action.decision_id is not None:
                decision = _Decision(score.customer_id, score.action, score.as_of)
                self._decisions.setdefault(score.action.decision_id, decision)

    def prune(self, before: datetime) -> int:
        """Delete batches made before an instant but the newest of each month; return how many."""
        months = {run.created_at.strftime("%Y-%m"): run.run_id for run, _ in self._runs}
        kept = [
            (run, scores)
            for run, scores in self._runs
            if run.created_at >= before or run.run_id in months.values()
        ]
        gone, self._runs = len(self._runs) - len(kept), kept
        return gone

    def latest_run(self) -> ScoreRun | None:
        """Return the newest batch."""
        return self._runs[-1][0] if self._runs else None

    def stored_score(self, customer_id: str, run_id: str | None = None) -> Score | None:
        """Return a customer's score in a batch (the newest one by default)."""
        for run, scores in reversed(self._runs):
            if run_id in (None, run.run_id):
                return scores.get(customer_id)
        return None

    def at_risk(self, query: AtRiskQuery) -> tuple[list[Score], int]:
        """Return one page of the newest batch, sorted, and the number of all that match."""
        scores = self._runs[-1][1].values() if self._runs else ()
        book = self._events.customers([score.customer_id for score in scores]).to_pylist()
        left_alone = {row["customer_id"] for row in book if book_reason(row)}
        found = sorted(
            (_order(score, query.sort), score.customer_id)
            for score in scores
            if score.customer_id not in left_alone and self._matches(score, query)
        )
        after = None if query.after is None else (-query.after[0], query.after[1])
        page = [place for place in found if after is None or place > after][: query.page_size]
        return [self._runs[-1][1][customer_id] for _, customer_id in page], len(found)

    def _matches(self, score: Score, query: AtRiskQuery) -> bool:
        if score.churn_risk is None or score.action is None:
            return False
        decision = self._decisions.get(score.action.decision_id or "")
        is_open = decision is None or decision.is_open
        value = score.expected_value
        return (
            query.band in (None, score.band)
            and (query.min_risk is None or score.churn_risk >= query.min_risk)
            and query.segment in (None, score.segment)
            and query.action in (None, score.action.code)
            and (query.min_value is None or (value is not None and value >= query.min_value))
            and query.group in (None, score.action.group)
            and (query.outcome == "all" or (query.outcome == "open") == is_open)
        )

    def run_summary(self) -> Mapping[str, Any] | None:
        """Return counts by status and band, and expected gain in all, of the newest batch."""
        if not self._runs:
            return None
        scores = self._runs[-1][1].values()
        gains = [score.action.expected_gain for score in scores if score.action is not None]
        return {
            "statuses": dict(Counter(score.status for score in scores)),
            "bands": dict(Counter(score.band for score in scores if score.band is not None)),
            "expected_gain": sum(gains),
        }

    def record_outcome(
        self, decision_id: str, outcome: Outcome, *, at: datetime, actor: str, note: str = ""
    ) -> str:
        """Add an outcome to a decision and return its customer."""
        if decision_id not in self._decisions:
            raise DecisionNotFound(
                "There is no such decision.", hint="Take the id from the score's action."
            )
        decision = self._decisions[decision_id]
        decision.outcomes.append({"outcome": outcome, "at": at, "actor": actor, "note": note})
        return decision.customer_id

    def outcomes_of(self, customer_id: str) -> list[dict[str, Any]]:
        """Return what was reported about a customer's decisions, newest first."""
        told = [
            {"decision_id": decision_id, "action": decision.action.code, **outcome}
            for decision_id, decision in self._decisions.items()
            if decision.customer_id == customer_id
            for outcome in decision.outcomes
        ]
        return sorted(told, key=lambda row: row["at"], reverse=True)

    def last_actions(self, customer_ids: Sequence[str]) -> Mapping[str, Mapping[str, datetime]]:
        """Return, by customer and action code, when it was last contacted."""
        found: dict[str, dict[str, datetime]] = {}
        for decision in self._decisions.values():
            contacts = [row["at"] for row in decision.outcomes if row["outcome"] == "contacted"]
            if contacts and not decision.is_open and decision.customer_id in customer_ids:
                by_code = found.setdefault(decision.customer_id, {})
                code = decision.action.code
                by_code[code] = max([*contacts, *([by_code[code]] if code in by_code else [])])
        return found

    def decisions(self, before: datetime) -> pa.Table:
        """Return what was decided before an instant, of actions by which somebody was contacted."""
        rows = [
            {
                "customer_id": one.customer_id,
                "decided_at": to_us(one.decided_at),
                "action": one.action.code,
                "held_out": one.action.group == "control",
                "propensity": one.action.propensity,
                "treated_at": one.treated_at(before),
            }
            for one in self._decisions.values()
            if one.decided_at < before
        ]
        in_use = {row["action"] for row in rows if row["treated_at"] is not None}
        kept = [row for row in rows if row["action"] in in_use]
        kept.sort(key=lambda row: (row["customer_id"], row["decided_at"]))
        return pa.Table.from_pylist(kept, TREATMENT_SCHEMA)


def _with_decision_id(score: Score, run_id: str) -> Score:
    if score.action is None or score.action.decision_id is not None:
        return score
    decision_id = f"{run_id}.{score.customer_id}"
    return replace(score, action=replace(score.action, decision_id=decision_id))


def _order(score: Score, sort: str) -> float:
    """Return what the list is sorted by, ascending."""
    if sort == "risk":
        return -(score.churn_risk or 0.0)
    return -(score.action.expected_gain if score.action else 0.0)
