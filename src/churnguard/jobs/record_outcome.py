"""Report what became of a suggested action.

Outcomes are append-only: taking one back is a new outcome, ``reopened``, and the newest counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from churnguard.clock import iso
from churnguard.errors import InvalidRequest
from churnguard.jobs.ports import Outcome, Shop

LONGEST_NOTE = 500


@dataclass(frozen=True)
class RecordedOutcome:
    """An outcome as it was stored."""

    decision_id: str
    customer_id: str
    outcome: Outcome
    at: datetime

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON-ready values."""
        return {
            "decision_id": self.decision_id,
            "customer_id": self.customer_id,
            "outcome": self.outcome,
            "at": iso(self.at),
        }


def record_outcome(
    shop: Shop, decision_id: str, outcome: Outcome, *, actor: str, note: str = ""
) -> RecordedOutcome:
    """Store what became of a decision, as of now.

    Parameters
    ----------
    shop : Shop
        The shop whose decision it is.
    decision_id : str
        ``action.decision_id`` of a score.
    outcome : {"contacted", "converted", "dismissed", "snoozed", "reopened"}
        ``contacted`` is "done"; ``reopened`` takes the last outcome back.
    actor : str
        Who reports it, as stored in the history.
    note : str
        A free word to the record, at most 500 characters.

    Raises
    ------
    InvalidRequest
        If the outcome is not one of these, or the note is too long.
    DecisionNotFound
        If there is no such decision.

    Examples
    --------
    >>> from churnguard.testing import build_score, fake_shop
    >>> shop = fake_shop([build_score("C1")])
    >>> record_outcome(shop, "d-C1", "contacted", actor="dana").customer_id
    'C1'
    """
    if outcome not in get_args(Outcome):
        raise InvalidRequest(
            f"'{outcome}' is not an outcome.", hint=f"Use one of {', '.join(get_args(Outcome))}."
        )
    if len(note) > LONGEST_NOTE:
        raise InvalidRequest(
            f"The note has {len(note)} characters.", hint=f"Keep it to {LONGEST_NOTE}."
        )
    now = shop.clock()
    customer_id = shop.scores.record_outcome(decision_id, outcome, at=now, actor=actor, note=note)
    return RecordedOutcome(decision_id, customer_id, outcome, now)
