"""What goes in and out when events are sent.

Bodies are read by ``bodies.py`` and judged row by row; the models here document them.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from churnguard.serving.scores.schemas import CustomerId

NATIVE: dict[str, Any] = {
    "event_id": "e-1001",
    "customer_id": "C123",
    "event": "order_completed",
    "occurred_at": "2026-11-21T08:00:00Z",
    "value": 49.9,
    "currency": "EUR",
    "order_id": "1001",
}
SEGMENT: dict[str, Any] = {
    "type": "track",
    "messageId": "m-1001",
    "userId": "C123",
    "event": "Order Completed",
    "timestamp": "2026-11-21T08:00:00Z",
    "properties": {
        "order_id": "1001",
        "total": 49.9,
        "products": [{"product_id": "P7", "price": 24.95, "quantity": 2}],
    },
}
CLOUD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1001",
    "source": "/shop/orders",
    "type": "com.example.order_completed",
    "subject": "C123",
    "time": "2026-11-21T08:00:00Z",
    "data": {"value": 49.9, "order_id": "1001"},
}
_ANY = {"type": "object", "additionalProperties": True}

REQUEST: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One event, a list, or `events` (`batch` with Segment); up to 1,000.",
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [
                        {"title": "One event, or many under events or batch", **_ANY},
                        {"title": "A list of events", "type": "array", "items": _ANY},
                    ]
                },
                "examples": {
                    "native": {"summary": "Native", "value": {"events": [NATIVE]}},
                    "segment": {"summary": "Segment", "value": {"batch": [SEGMENT]}},
                },
            },
            "application/cloudevents+json": {"schema": _ANY, "example": CLOUD},
            "application/cloudevents-batch+json": {
                "schema": {"type": "array", "items": _ANY},
                "example": [CLOUD],
            },
        },
    }
}
"""How the body is described in the OpenAPI document."""


class EventResult(BaseModel):
    """What became of one message."""

    index: int = Field(description="Its place in the request, from 0.")
    event_id: str | None = Field(None, description="Its id; made of what it says if it had none.")
    status: Literal["accepted", "duplicate", "conflict", "quarantined", "linked", "ignored"]
    reason: str | None = Field(None, description="Why it was not accepted, as a code.")
    detail: str | None = Field(None, description="The same, as a sentence.")
    row_id: str | None = Field(None, description="Its row in quarantine, to be mended.")


class EventsAnswer(BaseModel):
    """What became of every message; the six counts add up to rows."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "rows": 1,
                    "accepted": 1,
                    "duplicates": 0,
                    "conflicts": 0,
                    "quarantined": 0,
                    "linked": 0,
                    "ignored": 0,
                    "reasons": {},
                    "ignored_fields": [],
                    "results": [{"index": 0, "event_id": "e-1001", "status": "accepted"}],
                }
            ]
        }
    )

    rows: int = Field(description="Messages in the request.")
    accepted: int = Field(description="New.")
    duplicates: int = Field(description="Known already, with the same content.")
    conflicts: int = Field(description="Known with another content; both are kept.")
    quarantined: int = Field(description="Kept aside with a reason, to be mended.")
    linked: int = Field(description="Ids merged: `identify` and `alias`.")
    ignored: int = Field(description="Nothing to keep, such as an `identify` without two ids.")
    reasons: dict[str, int] = Field(description="Quarantined messages by reason.")
    ignored_fields: list[str] = Field(description="Fields that nothing is done with.")
    results: list[EventResult] = Field(description="Message by message, in the order sent.")


class QuarantinedAnswer(BaseModel):
    """One message that could not be accepted, as it was read."""

    row_id: str
    source: str = Field(description="The request or file that it came from.")
    row_number: int = Field(description="Its row in a file; 0 for requests.")
    reason: str
    detail: str
    payload: dict[str, Any] = Field(description="Its fields. Personal data were removed.")


class QuarantineAnswer(BaseModel):
    """One page of the quarantine, oldest first."""

    counts: dict[str, int] = Field(description="All rows in quarantine, by reason.")
    rows: list[QuarantinedAnswer]
    next_page_token: str = Field(description="For the next page; empty on the last one.")


class MendRequest(BaseModel):
    """What was mended in a row before it is read again."""

    model_config = ConfigDict(extra="forbid")

    payload: dict[str, Any] = Field(
        default_factory=dict,
        description="Fields that are different now; those not named stay as they were.",
        examples=[{"customer_id": "C123"}],
    )


class ReplayAnswer(BaseModel):
    """What became of a row that was read again."""

    row_id: str
    status: Literal["accepted", "duplicate", "conflict", "quarantined"]
    reason: str | None = Field(None, description="Why it is still in quarantine.")
    detail: str | None = None


class LinkItem(BaseModel):
    """Two ids that are one customer."""

    model_config = ConfigDict(extra="forbid")

    alias_id: CustomerId = Field(description="The id that gives way.", examples=["guest-77"])
    customer_id: CustomerId = Field(description="The customer's lasting id.", examples=["C123"])


class LinksRequest(BaseModel):
    """Ids to merge."""

    model_config = ConfigDict(extra="forbid")

    links: list[LinkItem] = Field(min_length=1, max_length=1000)


class LinkAnswer(BaseModel):
    """What became of one pair."""

    alias_id: str
    customer_id: str
    status: Literal["linked", "duplicate", "conflict"]


class LinksAnswer(BaseModel):
    """What became of each pair, in the order sent."""

    links: list[LinkAnswer]
