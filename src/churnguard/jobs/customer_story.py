"""One customer's story, as a manager reads it: the score and why, the orders, what was done.

The story tells today's list, so that page and list agree; a customer who is not on it is scored
now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from churnguard.errors import ModelNotFound
from churnguard.jobs.known_customer import known_customer
from churnguard.jobs.ports import Shop
from churnguard.scoring.score import Score

TOLD_EVENTS = ("order_completed", "order_refunded", "signed_in", "support_ticket_opened")
"""Events that a story tells."""


@dataclass(frozen=True)
class Moment:
    """One event of a story: when, what, and the money it moved."""

    at: datetime
    event: str
    value: float | None


@dataclass(frozen=True)
class CustomerStory:
    """What is known and was done about one customer.

    Attributes
    ----------
    score : Score or None
        With reasons where they could be had; None when nothing has been scored and there is no
        model.
    listed : bool
        True if the score is the one of today's list, False if it was made now.
    moments : tuple of Moment
        Told events before the score's instant, oldest first.
    history : tuple of dict
        Outcomes reported so far, newest first, as :meth:`ScoreStore.outcomes_of` gives them.
    """

    score: Score | None
    listed: bool
    moments: tuple[Moment, ...]
    history: tuple[dict[str, Any], ...]

    @property
    def outcome(self) -> dict[str, Any] | None:
        """The newest outcome of the decision at hand; None while it is open."""
        action = self.score.action if self.score else None
        if action is None or action.decision_id is None:
            return None
        told = [row for row in self.history if row["decision_id"] == action.decision_id]
        return told[0] if told and told[0]["outcome"] not in (None, "reopened") else None


def customer_story(
    shop: Shop, customer_id: str, *, score_at: Callable[[datetime | None], Score]
) -> CustomerStory:
    """Return one customer's story.

    Parameters
    ----------
    shop : Shop
        The opened project.
    customer_id : str
        Whose story.
    score_at : callable
        Scores this customer with reasons, as of an instant (None: now).

    Raises
    ------
    CustomerNotFound
        If the shop has no such customer.

    Examples
    --------
    >>> from churnguard.testing import build_score, fake_shop
    >>> shop = fake_shop([build_score("C1")])
    >>> customer_story(shop, "C1", score_at=lambda _: build_score("C1")).listed
    True
    """
    stored = shop.scores.stored_score(customer_id)
    if stored is None:
        known_customer(shop, customer_id)
    elif shop.watch.restricted([customer_id]):
        stored = None  # what was said before the objection is not told after it
    score = _with_reasons(stored, score_at) if stored else _scored_now(score_at)
    until = score.as_of if score else shop.clock()
    return CustomerStory(
        score=score,
        listed=stored is not None,
        moments=_moments(shop, customer_id, until),
        history=tuple(shop.scores.outcomes_of(customer_id)),
    )


def _with_reasons(stored: Score, score_at: Callable[[datetime | None], Score]) -> Score:
    """Fetch the reasons of a score that the batch stored without them."""
    if stored.reasons is not None or stored.status != "scored":
        return stored
    try:
        again = score_at(stored.as_of)
    except ModelNotFound:
        return stored
    # Reasons of another number would explain the wrong thing.
    return replace(stored, reasons=again.reasons) if again.margin == stored.margin else stored


def _scored_now(score_at: Callable[[datetime | None], Score]) -> Score | None:
    try:
        return score_at(None)
    except ModelNotFound:
        return None


def _moments(shop: Shop, customer_id: str, until: datetime) -> tuple[Moment, ...]:
    columns = ["occurred_at", "received_at", "event", "value"]
    rows = shop.events.events_of([customer_id]).select(columns).to_pylist()
    return tuple(
        Moment(row["occurred_at"], row["event"], row["value"])
        for row in sorted(rows, key=lambda row: row["occurred_at"])
        if row["event"] in TOLD_EVENTS and max(row["occurred_at"], row["received_at"]) < until
    )
