"""What goes in and out when scores are asked for.

The answers are written by ``Score.to_dict``; the models here document them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from churnguard.jobs.sent import RawSent

MOST_ITEMS = 1000
MOST_EVENTS = 10_000
MOST_BYTES = 8_000_000
"""So that as many items with all their signals fit."""

# No control characters: no store and no log takes them well, and no shop has them in ids.
CustomerId = Annotated[
    str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")
]

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]

EXAMPLE: dict[str, Any] = {
    "customer_id": "C123",
    "status": "scored",
    "status_reason": None,
    "churn_risk": 0.71,
    "interval": [0.62, 0.79],
    "band": "high",
    "segment": "loyal",
    "horizon_days": 90,
    "as_of": "2026-11-21T08:00:00Z",
    "data_through": "2026-11-21T07:59:41Z",
    "stale": False,
    "degraded": False,
    "margin": 0.89,
    "base_margin": 0.01,
    "reasons": [
        {
            "code": "login_gap_ratio",
            "family": "recency",
            "effect": 0.88,
            "effect_points": 0.18,
            "value": 3.4,
            "usual": 1.0,
            "text": {
                "en": "Last seen 24 days ago; usually every 7 days",
                "he": "התחברות אחרונה לפני 24 יום; בדרך כלל כל 7 ימים",
            },
            "own": 1.0,
            "peers": 1.2,
            "peers_of": "loyal",
        }
    ],
    "expected_value": 118.0,
    "expected_value_year": 410.0,
    "action": {
        "code": "cart_reminder",
        "channel": "email",
        "expected_gain": 9.4,
        "cost": 0.4,
        "basis": "prior",
        "group": "treat",
        "propensity": 0.9,
        "decision_id": "5e0c7c1d9f",
        "not_eligible": {},
    },
    "model": {
        "version": "12",
        "bundle": "sha256:1b2c",
        "calibration": "beta-3",
        "population": "2026-11-16",
    },
    "source": "store",
}


class ReasonAnswer(BaseModel):
    """One reason behind a score: a family of signals, told by its strongest."""

    code: str = Field(description="The strongest signal's name.")
    family: str = Field(description="The family of signals whose effects are summed.")
    effect: float = Field(
        description="Log-odds; all effects sum exactly from base_margin to margin."
    )
    effect_points: float = Field(description="Its share in risk points, for people.")
    value: float | None = Field(description="The signal now.")
    usual: float | None = Field(description="What is usual for this customer, or for peers.")
    text: dict[str, str] = Field(description="One sentence a language, with the own numbers.")
    own: float | None = Field(None, description="What is usual for this customer.")
    peers: float | None = Field(None, description="What is usual among peers: their median.")
    peers_of: str | None = Field(
        None, description="Who the peers are: the customer's segment, or everybody."
    )


class ActionAnswer(BaseModel):
    """The action that is worth its cost; leaving the customer alone is one."""

    code: str
    channel: str
    expected_gain: float = Field(description="Prevented churn x expected value - cost; money.")
    cost: float = Field(description="Money that the action costs.")
    basis: Literal["prior", "learned"]
    group: Literal["treat", "control"] = Field(description="control is held out: do not contact.")
    propensity: float = Field(description="The probability with which the group was drawn.")
    decision_id: str | None = Field(description="Report the outcome to /v1/actions/{id}/outcome.")
    not_eligible: dict[str, str] = Field(description="Why other actions were passed over.")


class ModelNameAnswer(BaseModel):
    """Which model spoke."""

    version: str
    bundle: str
    calibration: str
    population: str | None


class ScoreAnswer(BaseModel):
    """One customer's churn risk at one instant, or why there is no number."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    customer_id: str = Field(
        description="Who answers: of an id that was merged into a customer, that customer."
    )
    status: Literal["scored", "abstained", "objected", "restricted", "unknown"]
    status_reason: str | None = Field(description="Why there is no number, as a code.")
    churn_risk: float | None = Field(
        description="Calibrated probability of no order in the next horizon_days."
    )
    interval: tuple[float, float] | None = Field(
        description="90 % interval for the churn rate among customers with this score."
    )
    band: Literal["low", "medium", "high"] | None
    segment: str | None
    horizon_days: int
    as_of: str = Field(description="Only what was known before this instant was used.")
    data_through: str | None = Field(description="The newest event that was known.")
    stale: bool = Field(description="The data are older than the shop's limit.")
    degraded: bool = Field(description="A stand-in answered.")
    margin: float | None = Field(description="Log-odds of churn_risk.")
    base_margin: float | None = Field(
        description="Log-odds of a customer who is usual in everything; reasons start from it."
    )
    reasons: list[ReasonAnswer] | None = Field(description="Given with explain=true.")
    expected_value: float | None = Field(description="Margin expected over the horizon; money.")
    expected_value_year: float | None = Field(
        description="Margin expected over 365 days; money. Null in scores of before it was told."
    )
    action: ActionAnswer | None
    model: ModelNameAnswer | None
    source: Literal["store", "events", "features"] = Field(
        description="Made of the shop's events, of those and events sent along, or of signals "
        "sent along."
    )


class ScoreItem(BaseModel):
    """One customer to score: from the shop's own events, or from what is sent along."""

    model_config = ConfigDict(extra="forbid")

    customer_id: CustomerId
    events: list[dict[str, Any]] | None = Field(
        None,
        min_length=1,
        max_length=MOST_EVENTS,
        description="Events in the native format; scored as if they had been received when they "
        "occurred, and not stored. `customer_id` may be left out.",
        examples=[[{"event": "order_completed", "occurred_at": "2026-11-20", "value": 80}]],
    )
    features: dict[str, Number | None] | None = Field(
        None,
        description="The model's signals by name (GET /v1/model lists them). null is a signal "
        "without a value; one that is left out makes the score `degraded`.",
        examples=[{"days_since_order": 41.5, "orders_365d": 3}],
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> ScoreItem:
        if self.events is not None and self.features is not None:
            raise PydanticCustomError("one_of_both", "Send events or features, not both.")
        return self

    def asked(self) -> str | RawSent:
        """Return the id, or what was sent along with it."""
        if self.events is None and self.features is None:
            return self.customer_id
        return RawSent(self.customer_id, self.events, self.features)


class ScoresRequest(BaseModel):
    """Customers to score, all at the same instant and with the same model."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"items": [{"customer_id": "C123"}, {"customer_id": "C124"}]}]
        },
    )

    items: list[ScoreItem] = Field(max_length=MOST_ITEMS)
    explain: bool = Field(
        False, strict=True, description="With reasons; costs about a millisecond each."
    )
    as_of: str | None = Field(None, description="Look back from this instant; now if left out.")


class ScoresAnswer(BaseModel):
    """One score for each item, in the order asked; unknown ids have status unknown."""

    scores: list[ScoreAnswer]
