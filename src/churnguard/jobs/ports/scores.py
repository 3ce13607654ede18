"""The port for scores, and for the decisions taken with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from churnguard.scoring.score import Score
from churnguard.store.records import AtRiskQuery, Outcome, ScoreRun


class ScoreStore(Protocol):
    """Where scores and the decisions taken with them are kept."""

    def save_run(self, run: ScoreRun, scores: Sequence[Score]) -> None:
        """Store a batch and its decisions in one transaction."""

    def save_decisions(self, scores: Sequence[Score]) -> None:
        """Store the decisions of scores given outside a batch (an API request)."""

    def prune(self, before: datetime) -> int:
        """Delete batches made before an instant but the newest of each month; return how many."""

    def latest_run(self) -> ScoreRun | None:
        """Return the newest batch."""

    def stored_score(self, customer_id: str, run_id: str | None = None) -> Score | None:
        """Return a customer's score in a batch (the newest one by default)."""

    def at_risk(self, query: AtRiskQuery) -> tuple[list[Score], int]:
        """Return one page of the newest batch, sorted, and the number of all that match."""

    def run_summary(self) -> Mapping[str, Any] | None:
        """Return counts by status and band, and expected gain in all, of the newest batch."""

    def record_outcome(
        self, decision_id: str, outcome: Outcome, *, at: datetime, actor: str, note: str = ""
    ) -> str:
        """Add an outcome and return the decision's customer; ``DecisionNotFound`` if unknown."""

    def outcomes_of(self, customer_id: str) -> list[dict[str, Any]]:
        """Return decisions and outcomes of a customer: decision_id, action, outcome, at, actor."""

    def last_actions(self, customer_ids: Sequence[str]) -> Mapping[str, Mapping[str, datetime]]:
        """Return, by customer and action code, when it was last contacted; for cooldowns."""

    def decisions(self, before: datetime) -> pa.Table:
        """Return what was decided before an instant: ``training.treatment.TREATMENT_SCHEMA``.

        Only of actions by which somebody was contacted before it; empty where nobody was.
        """
