"""What goes in and out when an outcome is reported."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from churnguard.jobs.ports import Outcome
from churnguard.jobs.record_outcome import LONGEST_NOTE
from churnguard.serving.storable import STORABLE


class OutcomeRequest(BaseModel):
    """What became of a suggested action."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"outcome": "contacted", "note": "Called, will order."}]},
    )

    outcome: Outcome = Field(description="reopened takes the last outcome back.")
    note: str = Field("", max_length=LONGEST_NOTE, pattern=STORABLE)


class OutcomeAnswer(BaseModel):
    """The outcome as it was stored."""

    decision_id: str
    customer_id: str
    outcome: Outcome
    at: str
