"""What comes out when the model is asked about."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from churnguard.serving.scores.schemas import ModelNameAnswer


class ModelAnswer(BaseModel):
    """The champion that answers, and how good it was when it was judged."""

    model: ModelNameAnswer
    since: str | None = Field(description="When it became champion.")
    approved_by: str | None
    reason: str | None = Field(description="Why it was promoted.")
    trained_until: str | None = Field(description="Nothing known later was used in training.")
    labels_through: str | None
    metrics: dict[str, Any] = Field(examples=[{"auc": 0.806, "log_loss": 0.528}])
    card: dict[str, Any] = Field(description="All that the training wrote down.")
    refused: str | None = Field(
        description="Why a newer champion could not be loaded; this one answers meanwhile."
    )
