"""What a score is: one record, the same for CLI, API, pages, Python and MLflow.

``churn_risk`` is the calibrated probability of churn within ``horizon_days``: no order, unless the
shop chose another label. ``margin`` is its log-odds, and the reasons' ``effect`` values sum from
``base_margin`` to ``margin``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from churnguard.clock import iso

Status = Literal["scored", "abstained", "objected", "restricted", "unknown"]
Band = Literal["low", "medium", "high"]
Group = Literal["treat", "control"]
Source = Literal["store", "events", "features"]

STATUS_REASONS: Mapping[str, str] = {
    "no_order_yet": "The customer has not ordered yet, so there is nothing to lose.",
    "no_activity_yet": "The customer has never been active, so there is nothing to lose.",
    "no_subscription": "The customer has no running subscription, so there is nothing to lose.",
    "outside_look_back": "There is nothing within the look-back: already gone.",
    "too_little_history": "There are too few events to carry a number.",
    "no_model": "No model has been promoted yet; run 'churnguard train'.",
    "excluded": "The customer is marked as staff or test.",
    "opted_out": "The customer objected to profiling.",
    "restricted": "Processing of this customer's data is restricted.",
    "not_found": "The shop has no such customer.",
}
"""Every ``status_reason`` there is, with what it means."""


@dataclass(frozen=True)
class Reason:
    """One reason behind a score: a family of signals, told by its strongest signal.

    Attributes
    ----------
    code : str
        The strongest signal's name.
    family : str
        The family of signals whose effects are summed.
    effect : float
        Log-odds that this family adds to the customer's margin.
    effect_points : float
        Its share of the way from the base risk to the customer's risk, in probability.
    value, usual : float or None
        The signal now, and what is usual for this customer (or for peers); None where unknown.
    text : mapping of str to str
        One sentence a language, with the customer's own numbers.
    own, peers : float or None
        What is usual for this customer, and among peers: both, where both are known.
    peers_of : str or None
        Whose median ``peers`` is: the customer's segment, or ``everybody``.
    """

    code: str
    family: str
    effect: float
    effect_points: float
    value: float | None
    usual: float | None
    text: Mapping[str, str]
    own: float | None = None
    peers: float | None = None
    peers_of: str | None = None

    @property
    def raises(self) -> bool:
        """Tell whether it raises the risk; else it protects."""
        return self.effect > 0


@dataclass(frozen=True)
class SuggestedAction:
    """The action that is worth its cost, ``leave_alone`` included.

    Attributes
    ----------
    code, channel : str
        The action in the playbook and how it reaches the customer.
    expected_gain : float
        Prevented churn times expected value, less the cost; money.
    cost : float
        Money that the action costs.
    basis : {"prior", "learned"}
        Where the share of prevented churn comes from.
    group : {"treat", "control"}
        ``control`` is held out, so that what actions bring in can be learned: do not contact.
    propensity : float
        The probability with which this group was drawn.
    decision_id : str or None
        Names the stored decision; outcomes are reported to it.
    not_eligible : mapping of str to str
        Why each action that was passed over could not be used; empty unless explained.
    """

    code: str
    channel: str
    expected_gain: float
    cost: float
    basis: Literal["prior", "learned"]
    group: Group
    propensity: float
    decision_id: str | None = None
    not_eligible: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelName:
    """Which model spoke: registry version, bundle digest, calibration and population used."""

    version: str
    bundle: str
    calibration: str
    population: str | None


@dataclass(frozen=True)
class Score:
    """One customer's churn risk at one instant; see the module for what the numbers mean.

    Attributes
    ----------
    status, status_reason : str
        ``scored``, or why there is no number (a key of :data:`STATUS_REASONS`).
    interval : tuple of float, optional
        90 % interval for the churn rate among customers with this score.
    as_of : datetime
        The cutoff: only what was known before it was used.
    data_through : datetime, optional
        The newest event that the shop had told us by then.
    stale, degraded : bool
        The data are older than the limit; the answer comes from a stand-in.
    source : {"store", "events", "features"}
        Made of the shop's events, of those and events sent along, or of signals sent along.
    """

    customer_id: str
    status: Status
    status_reason: str | None
    horizon_days: int
    as_of: datetime
    data_through: datetime | None
    churn_risk: float | None = None
    interval: tuple[float, float] | None = None
    band: Band | None = None
    segment: str | None = None
    stale: bool = False
    degraded: bool = False
    margin: float | None = None
    base_margin: float | None = None
    reasons: tuple[Reason, ...] | None = None
    expected_value: float | None = None
    expected_value_year: float | None = None
    action: SuggestedAction | None = None
    model: ModelName | None = None
    source: Source = "store"

    def to_dict(self) -> dict[str, Any]:
        """Return the score as JSON-ready values, in the order of the documented answer."""
        order = [
            "customer_id",
            "status",
            "status_reason",
            "churn_risk",
            "interval",
            "band",
            "segment",
            "horizon_days",
            "as_of",
            "data_through",
            "stale",
            "degraded",
            "margin",
            "base_margin",
            "reasons",
            "expected_value",
            "expected_value_year",
            "action",
            "model",
            "source",
        ]
        values: dict[str, Any] = dict(vars(self))
        for name in ("action", "model"):
            values[name] = dict(vars(values[name])) if values[name] else None
        if self.reasons is not None:
            values["reasons"] = [dict(vars(reason)) for reason in self.reasons]
        values["as_of"] = iso(self.as_of)
        values["data_through"] = iso(self.data_through) if self.data_through else None
        values["interval"] = list(self.interval) if self.interval else None
        return {name: values[name] for name in order}
