"""What comes out when a customer's score history is asked for."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

_SAID: dict[str, JsonValue] = {
    "as_of": "2026-11-21T08:00:00Z",
    "margin": 0.93,
    "churn_risk": 0.71,
    "band": "high",
    "model_version": "12",
}
_CHANGE: dict[str, JsonValue] = {
    "from": {
        "as_of": "2026-11-14T08:00:00Z",
        "margin": 0.43,
        "churn_risk": 0.61,
        "band": "medium",
        "model_version": "12",
    },
    "to": _SAID,
    "behaviour": 0.0,
    "time_passing": 0.5,
    "late_data": 0.0,
    "model_change": 0.0,
    "split_by": "old",
}


class Said(BaseModel):
    """What was said of the customer at an instant."""

    as_of: str
    margin: float = Field(description="Log-odds; in a change rounded to 2**-40.")
    churn_risk: float | None
    band: Literal["low", "medium", "high"]
    model_version: str | None


class ChangeAnswer(BaseModel):
    """A move and what it was made of, in log-odds; the four parts add up to it exactly."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CHANGE]})

    from_: Said = Field(alias="from")
    to: Said
    behaviour: float = Field(description="What the customer did, or did again, in between.")
    time_passing: float = Field(description="The same events, seen from the later instant.")
    late_data: float = Field(description="What had happened before, and became known in between.")
    model_change: float = Field(description="Another model speaks.")
    split_by: Literal["old", "new"] = Field(
        description="Which model told the parts apart; new where the old one is gone."
    )


class OutcomeKnown(Said):
    """What was last said before an outcome; it stays as it was."""

    outcome: Literal["stayed", "churned"]
    known_at: str
    horizon_days: int


class HistoryAnswer(BaseModel):
    """One page of a customer's history, the newest change first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "C123",
                    "current": _SAID,
                    "changes": [_CHANGE],
                    "outcomes": [],
                    "next_page_token": "",
                }
            ]
        }
    )

    customer_id: str
    current: Said | None = Field(description="Where the risk watch last saw the customer.")
    changes: list[ChangeAnswer]
    outcomes: list[OutcomeKnown] = Field(description="On the first page only, newest first.")
    next_page_token: str = Field(description="Empty on the last page; the only end sign.")
