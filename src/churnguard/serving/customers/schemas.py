"""What comes out when the shop's own log and book are asked about one customer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class BookRow(BaseModel):
    """What the shop says of the customer; null is unknown, and unknown consent is none."""

    created_at: str | None = Field(examples=["2024-03-01T09:30:00Z"])
    locale: str | None = Field(examples=["he-IL"])
    consent_email: bool | None
    consent_sms: bool | None
    consent_phone: bool | None
    consent_push: bool | None
    consent_at: str | None
    opt_out_profiling: bool | None
    exclude: bool | None = Field(description="Staff, or a test account.")
    restricted: bool | None = Field(description="Kept, and not used.")


class ProfileAnswer(BaseModel):
    """Who a customer is to the shop."""

    customer_id: str = Field(examples=["C123"])
    book: BookRow | None = Field(description="Null where the book has no row.")
    events: dict[str, int] = Field(
        description="Events by name.", examples=[{"order_completed": 7, "signed_in": 31}]
    )
    first_event_at: str | None = Field(examples=["2024-03-01T09:30:00Z"])
    last_event_at: str | None = Field(examples=["2026-11-20T18:02:11Z"])


class TimelineEvent(BaseModel):
    """An event of the log; what it does not have is left out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "event_id": "e1",
                    "event": "order_completed",
                    "occurred_at": "2026-11-20T18:02:11Z",
                    "received_at": "2026-11-20T18:02:12Z",
                    "clock": "true",
                    "value": 80.0,
                    "order_id": "O1",
                }
            ]
        }
    )

    event_id: str
    event: str
    occurred_at: str
    received_at: str
    clock: Literal["true", "assumed"]
    value: float | None = None
    quantity: int | None = None
    order_id: str | None = None
    cart_id: str | None = None
    session_id: str | None = None
    product_id: str | None = None
    category: str | None = None
    currency: str | None = None
    kind: str | None = None
    discount: float | None = None
    properties: dict[str, Any] | None = None


class TimelineAnswer(BaseModel):
    """One page of a customer's events, the newest first."""

    customer_id: str = Field(examples=["C123"])
    events: list[TimelineEvent]
    next_page_token: str = Field(description="Empty on the last page; the only end sign.")
