"""What the watch saw, as it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from churnguard.clock import iso
from churnguard.jobs.drift_look import SCORE, WINDOW_DAYS
from churnguard.training.deliveries import Delivery
from churnguard.training.drift import Drift
from churnguard.training.drift_cost import DriftCost
from churnguard.training.estimated_performance import Estimate


@dataclass(frozen=True)
class Comparison:
    """What had been expected at an earlier look, and what came true.

    Attributes
    ----------
    as_of : str
        The earlier look.
    model_version : str
        Who was champion then.
    expected : mapping of str to Estimate
        As it was told then.
    truth : mapping of str to float
        The same figures by the outcomes.
    """

    as_of: str
    model_version: str
    expected: Mapping[str, Estimate]
    truth: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "as_of": self.as_of,
            "model_version": self.model_version,
            "expected": {name: one.to_dict() for name, one in self.expected.items()},
            "truth": dict(self.truth),
            "inside": {name: one.holds(self.truth[name]) for name, one in self.expected.items()},
        }


@dataclass(frozen=True)
class DriftReport:
    """What the watch saw.

    Attributes
    ----------
    as_of : datetime
        The instant that was looked at.
    model_version : str
        The champion.
    customers : int
        Eligible customers today.
    reference : str
        What they were held against, in words.
    compared : tuple of Drift
        Every signal, and the score as the last.
    deliveries : tuple of Delivery
        Every kind of event that signals need.
    expected : mapping of str to Estimate
        How good the champion should be today.
    comparisons : tuple of Comparison
        Earlier looks whose outcome is known, oldest first.
    cost : DriftCost or None
        What the drifted signals cost; None where none drifted.
    horizon_days : int
        How far ahead a risk looks.
    currency : str
        The shop's.
    """

    as_of: datetime
    model_version: str
    customers: int
    reference: str
    compared: tuple[Drift, ...]
    deliveries: tuple[Delivery, ...]
    expected: Mapping[str, Estimate]
    comparisons: tuple[Comparison, ...]
    cost: DriftCost | None
    horizon_days: int
    currency: str

    @property
    def looked_at(self) -> tuple[Drift | Delivery, ...]:
        """All that may drift."""
        return (*self.compared, *self.deliveries)

    @property
    def drifted(self) -> tuple[Drift | Delivery, ...]:
        """Signals, perhaps the score, and kinds of event that drifted."""
        return tuple(one for one in self.looked_at if one.drifted)

    @property
    def alarm(self) -> bool:
        """Whether anything drifted."""
        return bool(self.drifted)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "as_of": iso(self.as_of),
            "model_version": self.model_version,
            "customers": self.customers,
            "reference": self.reference,
            "alarm": self.alarm,
            "drifted": [one.name for one in self.drifted],
            "cost": self.cost.to_dict() if self.cost else None,
            "expected": {name: one.to_dict() for name, one in self.expected.items()},
            "comparisons": [one.to_dict() for one in self.comparisons],
            "compared": [one.to_dict() for one in self.compared],
            "deliveries": [one.to_dict() for one in self.deliveries],
        }

    def to_text(self) -> str:
        """Return a page for a person."""
        lines = [
            f"{self.customers:,} customers as of {iso(self.as_of)}, model version "
            f"{self.model_version}, held against {self.reference}",
            *(_tell(one) for one in self.drifted),
            *([self._cost()] if self.cost else []),
        ]
        if not self.alarm:
            lines.append(
                f"Nothing drifted: {len(self.compared) - 1} signals, the score, and the number of "
                f"events of {len(self.deliveries)} kinds."
            )
        lines += ["", f"Expected of the model over the next {self.horizon_days} days:"]
        lines += [f"  {_WORDS[name]}: {_range(name, one)}" for name, one in self.expected.items()]
        if self.comparisons:
            lines += ["", "What was expected earlier, and what came true:"]
            lines += [line for one in self.comparisons for line in _earlier(one)]
        return "\n".join(lines)

    def _cost(self) -> str:
        cost = self.cost
        assert cost is not None
        listed = f"On a list of {cost.listed:,.0f} customers, as many as today's,"
        if round(cost.missed) <= 0:
            return f"{listed} this costs nobody who leaves."
        return (
            f"{listed} about {cost.missed:,.0f} of {cost.caught_before:,.0f} customers who leave "
            f"would be missed: {cost.worth:,.2f} {self.currency} of margin expected over "
            f"{self.horizon_days} days."
        )


_WORDS = {
    "auc": "of two customers, one who leaves and one who stays, told apart (AUC)",
    "log_loss": "log loss",
    "churners": "customers who leave",
    "listed": "customers on the list of high risk",
    "caught": "of those on the list, leave",
}


def _range(name: str, one: Estimate) -> str:
    if name == "listed":
        return f"{one.value:,.0f}"
    shape = ".3f" if name in ("auc", "log_loss") else ",.0f"
    return f"{one.value:{shape}} ({one.low:{shape}} to {one.high:{shape}})"


def _tell(one: Drift | Delivery) -> str:
    """Return one sentence about one drift."""
    return _tell_delivery(one) if isinstance(one, Delivery) else _tell_drift(one)


def _tell_delivery(one: Delivery) -> str:
    now, before = one.nearest.now, one.nearest.before
    fewer = now < before
    how = f"{1 - now / before:.0%} fewer" if fewer else f"{now / before - 1:.0%} more"
    look = "all are still delivered" if fewer else "some are delivered twice"
    return (
        f"Of the event {one.name} {how} came than usual: {now:.2f} a customer in {WINDOW_DAYS} "
        f"days, where it used to be {before:.2f}. Look at its feed, whether {look}."
    )


def _tell_drift(one: Drift) -> str:
    what = "The scores" if one.name == SCORE else f"The signal {one.name}"
    shifts = list(one.against.values())
    if one.missing:
        before, now = shifts[0].missing_before, shifts[0].missing_now
        return f"{what} is missing for {now:.0%} of the customers; it used to be for {before:.0%}."
    index = min(shift.psi for shift in shifts)
    limit = max(shift.psi_limit for shift in shifts)
    moved = "have moved" if one.name == SCORE else "has moved"
    return f"{what} {moved}: stability index {index:.2f}, where {limit:.2f} is the limit."


def _earlier(one: Comparison) -> list[str]:
    lines = [f"  {one.as_of}, model version {one.model_version}"]
    for name, estimate in one.expected.items():
        if name == "listed":
            continue
        shape = ".3f" if name in ("auc", "log_loss") else ",.0f"
        verdict = "as expected" if estimate.holds(one.truth[name]) else "not as expected"
        told = f"{_range(name, estimate)}, was {one.truth[name]:{shape}}"
        lines.append(f"    {_WORDS[name]}: {told}: {verdict}")
    return lines
