"""Explain one customer: score, reasons, suggested action, and the last events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from churnguard.clock import iso, not_in_future
from churnguard.jobs.champion import champion_for
from churnguard.jobs.known_customer import known_customer
from churnguard.jobs.ports import Shop
from churnguard.jobs.score_customer import score_customers
from churnguard.labels import label_named
from churnguard.policy.playbook import LEAVE_ALONE
from churnguard.scoring.score import STATUS_REASONS, Reason, Score

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
    currency, timezone : str
        The shop's, for the page of text.
    churn : str
        What the risk is of.
    """

    score: Score
    events: list[dict[str, Any]]
    currency: str
    timezone: str
    churn: str

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {**self.score.to_dict(), "timeline": self.events}

    def to_text(self, language: str = "en") -> str:
        """Return a page of plain text in the shop's time, reasons in ``en`` or ``he``."""
        parts = [self._headline(), self._reasons(language), self._action(), self._timeline()]
        return "\n\n".join("\n".join(lines) for lines in parts if lines)

    def _headline(self) -> list[str]:
        score = self.score
        if score.churn_risk is None or score.interval is None:
            why = STATUS_REASONS.get(score.status_reason or "", "")
            return [f"{score.customer_id}: {score.status}. {why}"]
        low, high = score.interval
        segment = f"segment {score.segment}, " if score.segment else ""  # by orders: may be none
        return [
            f"{score.customer_id}: {score.churn_risk:.0%} risk of {self.churn} "
            f"({low:.0%} to {high:.0%}), {score.band}",
            f"as of {self._local(score.as_of)} ({self.timezone}), {segment}"
            f"expected to bring in {score.expected_value or 0:,.2f} {self.currency} in that time, "
            f"{score.expected_value_year or 0:,.2f} in a year",
        ]

    def _reasons(self, language: str) -> list[str]:
        told = self.score.reasons or ()
        lines: list[str] = []
        for title, raises in (("Raises the risk:", True), ("Protects:", False)):
            some = [_told(reason, language) for reason in told if reason.raises is raises]
            lines += [title, *some] if some else []
        return ["Why, in points of risk, from a usual customer on:", *lines] if lines else []

    def _action(self) -> list[str]:
        action = self.score.action
        if action is None:
            return []
        if action.code == LEAVE_ALONE:
            return ["Suggested: leave alone; nothing that could be done is worth its cost"]
        by = "" if action.channel == "none" else f" ({action.channel})"
        gain = f"expected gain {action.expected_gain:,.2f} {self.currency}"
        held_out = "; held out: do nothing, so that lift can be measured"
        return [
            f"Suggested: {action.code}{by}, {gain}{held_out if action.group == 'control' else ''}"
        ]

    def _timeline(self) -> list[str]:
        lines = [
            f"  {self._local(datetime.fromisoformat(event['occurred_at']))}  "
            f"{event['event']:<22} {_amount(event['value'])}".rstrip()
            for event in self.events
        ]
        return ["Last events:", *lines] if lines else []

    def _local(self, instant: datetime) -> str:
        return f"{instant.astimezone(ZoneInfo(self.timezone)):%Y-%m-%d %H:%M}"


def explain(shop: Shop, customer_id: str, *, as_of: datetime | None = None) -> Explanation:
    """Explain one customer.

    Parameters
    ----------
    shop : Shop
        An opened project.
    customer_id : str
        Whom; of an id that was merged into a customer, the customer is explained.
    as_of : datetime, optional
        The cutoff; now when not given.

    Raises
    ------
    CustomerNotFound
        If the shop has no such customer.
    ModelNotFound
        If there is no champion yet.
    InvalidRequest
        If the instant lies in the future.
    """
    customer_id = known_customer(shop, customer_id)
    cutoff = not_in_future(as_of, shop.clock) if as_of else shop.clock()
    champion = champion_for(shop, as_of)
    (score,) = score_customers(shop, champion, [customer_id], as_of=cutoff, explain=True)
    events = _last_events(shop, customer_id, cutoff)
    settings, facts = shop.settings, champion.bundle.facts
    churn = label_named(facts.label).churn.format(days=facts.horizon_days)
    return Explanation(score, events, settings.currency, settings.timezone, churn)


def _last_events(shop: Shop, customer_id: str, cutoff: datetime) -> list[dict[str, Any]]:
    columns = ["occurred_at", "event", "value", "quantity", "product_id", "order_id", "kind"]
    events = shop.events.events_of([customer_id]).select([*columns, "received_at"]).to_pylist()
    known = [e for e in events if e["occurred_at"] < cutoff and e.pop("received_at") < cutoff]
    newest = known[-_LAST_EVENTS:][::-1]
    return [event | {"occurred_at": iso(event["occurred_at"])} for event in newest]


def _told(reason: Reason, language: str) -> str:
    """Return one reason, with what is usual among peers where the sentence can be compared."""
    text = reason.text.get(language, reason.text["en"])
    numbers = [
        f"{word} {number:,.4g}"
        for word, number in (
            ("now", reason.value),
            ("own usual", reason.own),
            (f"{reason.peers_of}", reason.peers),
        )
        if number is not None
    ]
    return f"  {reason.effect_points * 100:+5.1f}  [{reason.family}] {text} ({', '.join(numbers)})"


def _amount(value: float | None) -> str:
    return "" if value is None else f"{value:,.10g}"
