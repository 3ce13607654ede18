"""What comes out when the at-risk list is asked for."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from churnguard.serving.scores.schemas import EXAMPLE, ScoreAnswer


class RunAnswer(BaseModel):
    """The batch of scores that the list comes from."""

    run_id: str
    as_of: str
    created_at: str
    model_version: str
    customers: int


class AtRiskAnswer(BaseModel):
    """One page of the list."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "scores": [EXAMPLE],
                    "total_size": 214,
                    "next_page_token": "WyI0ZjE5Il0",
                    "run": {
                        "run_id": "5e0c7c1d",
                        "as_of": "2026-11-21T08:00:00Z",
                        "created_at": "2026-11-21T08:02:10Z",
                        "model_version": "12",
                        "customers": 5000,
                    },
                }
            ]
        }
    )

    scores: list[ScoreAnswer]
    total_size: int = Field(description="How many match on all pages together.")
    next_page_token: str = Field(description="Empty on the last page; the only end sign.")
    run: RunAnswer | None = Field(description="None: nothing has been scored yet.")
