"""What comes out when health is asked about."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class AliveAnswer(BaseModel):
    """The process runs."""

    status: Literal["alive"]


class ReadyAnswer(BaseModel):
    """Scores can be given."""

    status: Literal["ready"]
    model_version: str
    refused: str | None = Field(
        None, description="Why a newer champion could not be loaded; this one answers meanwhile."
    )
