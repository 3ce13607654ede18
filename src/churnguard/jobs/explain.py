"""Explain one customer: score, reasons, suggested action, and the last events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from churnguard.clock import iso
from churnguard.errors import CustomerNotFound
from churnguard.jobs.champion import champion_for
from churnguard.jobs.ports import Shop
from churnguard.jobs.score_customer import score_customers
from churnguard.scoring.score import STATUS_REASONS, Score

_LAST_EVENTS = 12


@dataclass(frozen=True)
class Explanation:
    """One customer, explained.

    Attributes
    ----------
    score : Score
        With reasons.
    events : list of dict
        The newest events before the cutoff, newest first.
    """

    score: Score
    events: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {**self.score.to_dict(), "timeline": self.events}

    def to_text(self, language: str = "en") -> str:
        """Return a page of plain text, reasons in ``en`` or ``he``."""
        return "\n".join([*self._headline(), *self._reasons(language), *self._timeline()])

    def _headline(self) -> list[str]:
        score = self.score
        if score.churn_risk is None or score.interval is None:
            why = STATUS_REASONS.get(score.status_reason or "", "")
            return [f"{score.customer_id}: {score.status}. {why}"]
        low, high = score.interval
        return [
            f"{score.customer_id}: {score.churn_risk:.0%} risk of no order in the next "
            f"{score.horizon_days} days ({low:.0%} to {high:.0%}), {score.band}",
            f"as of {iso(score.as_of)}, segment {score.segment}, "
            f"worth {score.expected_value or 0:,.2f} over the horizon",
        ]

    def _reasons(self, language: str) -> list[str]:
        lines = [
            f"  {reason.effect_points:+7.1%}  {reason.text.get(language, reason.text['en'])}"
            for reason in self.score.reasons or ()
        ]
        action = self.score.action
        if action is not None:
            lines.append(
                f"suggested: {action.code} by {action.channel}, expected gain "
                f"{action.expected_gain:,.2f} ({action.group})"
            )
        return lines

    def _timeline(self) -> list[str]:
        return [
            f"  {event['occurred_at']}  {event['event']:<24} {_amount(event['value'])}"
            for event in self.events
        ]


def explain(shop: Shop, customer_id: str, *, as_of: datetime | None = None) -> Explanation:
    """Explain one customer.

    Parameters
    ----------
    shop : Shop
        An opened project.
    customer_id : str
        Whom.
    as_of : datetime, optional
        The cutoff; now when not given.

    Raises
    ------
    CustomerNotFound
        If the shop has no such customer.
    ModelNotFound
        If there is no champion yet.
    """
    if not shop.events.has_customer(customer_id):
        raise CustomerNotFound(
            f"The shop has no customer '{customer_id}'.",
            hint="Ids are compared to the letter; see how they are written in the shop's files.",
        )
    cutoff = as_of or shop.clock()
    champion = champion_for(shop, as_of)
    (score,) = score_customers(shop, champion, [customer_id], as_of=cutoff, explain=True)
    return Explanation(score, _last_events(shop, customer_id, cutoff))


def _last_events(shop: Shop, customer_id: str, cutoff: datetime) -> list[dict[str, Any]]:
    columns = ["occurred_at", "event", "value", "quantity", "product_id", "order_id", "kind"]
    events = shop.events.events_of([customer_id]).select([*columns, "received_at"]).to_pylist()
    known = [e for e in events if e["occurred_at"] < cutoff and e.pop("received_at") < cutoff]
    newest = known[-_LAST_EVENTS:][::-1]
    return [event | {"occurred_at": iso(event["occurred_at"])} for event in newest]


def _amount(value: float | None) -> str:
    return "" if value is None else f"{value:,.2f}"
