"""The service's answers as frozen dataclasses; a field that is new in the service is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Reason:
    """One reason behind a score; ``effect`` is log-odds, ``effect_points`` its share in points."""

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


@dataclass(frozen=True)
class Action:
    """What is worth doing; ``group`` is ``treat`` or ``control``, who must not be contacted."""

    code: str
    channel: str
    expected_gain: float
    cost: float
    basis: str
    group: str
    propensity: float
    decision_id: str | None = None
    not_eligible: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """Which model spoke."""

    version: str
    bundle: str
    calibration: str
    population: str | None = None


@dataclass(frozen=True)
class Score:
    """One customer's churn risk; ``status`` says whether there is a number, and why not."""

    customer_id: str
    status: str
    status_reason: str | None
    horizon_days: int
    as_of: datetime
    data_through: datetime | None
    churn_risk: float | None = None
    interval: tuple[float, float] | None = None
    band: str | None = None
    segment: str | None = None
    stale: bool = False
    degraded: bool = False
    margin: float | None = None
    base_margin: float | None = None
    reasons: tuple[Reason, ...] | None = None
    expected_value: float | None = None
    expected_value_year: float | None = None
    action: Action | None = None
    model: Model | None = None
    source: str = "store"

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Score:
        """Return the score that JSON tells."""
        reasons = told.get("reasons")
        interval = told.get("interval")
        return known(
            cls,
            told,
            as_of=instant(told["as_of"]),
            data_through=instant(told.get("data_through")),
            interval=None if interval is None else (interval[0], interval[1]),
            reasons=None if reasons is None else tuple(known(Reason, one) for one in reasons),
            action=_part(Action, told.get("action")),
            model=_part(Model, told.get("model")),
        )


@dataclass(frozen=True)
class EventResult:
    """What became of one event that was sent."""

    index: int
    event_id: str | None
    status: str
    reason: str | None = None
    detail: str | None = None
    row_id: str | None = None


@dataclass(frozen=True)
class SentEvents:
    """What became of the events that were sent; they are on the service's disk."""

    rows: int = 0
    accepted: int = 0
    duplicates: int = 0
    conflicts: int = 0
    quarantined: int = 0
    linked: int = 0
    ignored: int = 0
    results: tuple[EventResult, ...] = ()

    def plus(self, told: Mapping[str, Any]) -> SentEvents:
        """Return the sum of this and one more answer, whose results come after these."""
        counts = [one.name for one in fields(self) if one.name != "results"]
        summed = {name: getattr(self, name) + int(told.get(name, 0)) for name in counts}
        more = tuple(
            known(EventResult, one, index=self.rows + one["index"], event_id=one.get("event_id"))
            for one in told.get("results", ())
        )
        return SentEvents(**summed, results=self.results + more)


@dataclass(frozen=True)
class Outcome:
    """What became of a suggested action, as it was stored."""

    decision_id: str
    customer_id: str
    outcome: str
    at: datetime


@dataclass(frozen=True)
class Endpoint:
    """A webhook endpoint; ``secret`` is told once, when it is made."""

    webhook_id: str
    url: str
    events: tuple[str, ...]
    description: str = ""
    secret: str | None = field(default=None, repr=False)
    disabled_reason: str | None = None


@dataclass(frozen=True)
class ScoreChange:
    """One move of a score and what moved it, as the service tells it."""

    told: Mapping[str, Any]


def known(kind: type[T], told: Mapping[str, Any], **given: Any) -> T:
    """Make a record of what it knows of an answer.

    Examples
    --------
    >>> known(Model, {"version": "12", "bundle": "b", "calibration": "c", "new": 1}).version
    '12'
    """
    names = {one.name for one in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in told.items() if name in names} | given)


def instant(text: str | None) -> Any:
    """Return the instant of an ISO 8601 text.

    Examples
    --------
    >>> instant("2026-11-21T08:00:00Z").isoformat()
    '2026-11-21T08:00:00+00:00'
    """
    return None if text is None else datetime.fromisoformat(text)


def _part(kind: type[T], told: Mapping[str, Any] | None) -> T | None:
    return None if told is None else known(kind, told)
