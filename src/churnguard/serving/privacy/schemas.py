"""What goes in and out when somebody asks about a person's own data."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ObjectionRequest(BaseModel):
    """Whether a person objects to profiling."""

    model_config = ConfigDict(extra="forbid", strict=True)

    objected: bool = Field(True, description="False takes the objection back.")


class RestrictionRequest(BaseModel):
    """Whether a person's data is kept without being used."""

    model_config = ConfigDict(extra="forbid", strict=True)

    restricted: bool = Field(True, description="False frees the data again.")


class RestrictionAnswer(BaseModel):
    """What holds for a person from now on."""

    customer_id: str = Field(examples=["C123"])
    objected_at: str | None = Field(None, examples=["2026-11-21T08:00:00Z"])
    restricted_at: str | None = None
    source: str | None = Field(None, examples=["api"])


class SubjectAnswer(BaseModel):
    """Everything that is known of a person, and what is done with it."""

    customer_id: str = Field(examples=["C123"])
    made_at: str
    purpose: str
    logic: str
    model: dict[str, Any] | None
    retention_days: dict[str, int | None] = Field(description="By kind; null is for ever.")
    your_rights: str
    records: dict[str, list[Any]] = Field(
        description="By kind: events, scores with their reasons, decisions, who was told, ..."
    )


class ErasureAnswer(BaseModel):
    """A signed receipt: which stores were visited and what was removed there."""

    receipt_id: str = Field(examples=["er_6b1f9f6e0c0c4a3b"])
    state: str = Field(examples=["done"])
    erased_at: str
    receipt: dict[str, Any]
    signature: str | None = Field(description="Ed25519 over the receipt, in base64.")
