"""What goes in and out when webhook endpoints are kept."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from churnguard.serving.storable import STORABLE

MessageType = Literal["risk.raised", "action.suggested", "subject.erased"]
_WEBHOOK: dict[str, JsonValue] = {
    "webhook_id": "we_6b1f9f6e0c0c4a3b",
    "url": "https://crm.example/churnguard",
    "events": ["risk.raised", "subject.erased"],
    "description": "the CRM",
    "created_at": "2026-11-21T08:00:00Z",
    "secret_generation": 1,
    "rotated_at": None,
    "disabled_at": None,
    "disabled_reason": None,
}


class WebhookRequest(BaseModel):
    """Where to send what."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"url": _WEBHOOK["url"], "events": ["risk.raised", "subject.erased"]}]
        },
    )

    url: str = Field(
        max_length=2000,
        description="Public and https, or an address in the setting webhook_allow.",
    )
    events: list[MessageType] = Field(min_length=1, max_length=10)
    description: str = Field("", max_length=200, pattern=STORABLE)


class WebhookAnswer(BaseModel):
    """An endpoint, without its secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WEBHOOK]})

    webhook_id: str
    url: str
    events: list[str]
    description: str
    created_at: str
    secret_generation: int = Field(description="Rises with each rotation.")
    rotated_at: str | None
    disabled_at: str | None = Field(description="Since when nothing is sent; it answered 410.")
    disabled_reason: str | None


class WebhookWithSecretAnswer(WebhookAnswer):
    """An endpoint with its secret, which is never shown again."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [_WEBHOOK | {"secret": "whsec_bm90IGEgcmVhbCBzZWNyZXQ="}]}
    )

    secret: str = Field(description="whsec_ and base64, as Standard Webhooks has it.")


class WebhooksAnswer(BaseModel):
    """All endpoints, oldest first."""

    webhooks: list[WebhookAnswer]


class RemovedAnswer(BaseModel):
    """What was removed."""

    webhook_id: str
    removed: bool


class DeliveryAnswer(BaseModel):
    """One message to one endpoint."""

    message_id: str = Field(description="The header webhook-id: the same for every attempt.")
    type: str
    created_at: str
    state: Literal["waiting", "delivered", "failed", "cancelled"] = Field(
        description="cancelled: the person objected to profiling meanwhile."
    )
    attempts: int
    next_at: str | None = Field(description="When it is tried (again); None where it ended.")
    last_status: int | None
    last_error: str | None
    delivered_at: str | None


class DeliveriesAnswer(BaseModel):
    """One page of deliveries, newest first."""

    deliveries: list[DeliveryAnswer]
    next_page_token: str = Field(description="Empty on the last page; the only end sign.")


class ReplayRequest(BaseModel):
    """Which failed messages to send again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    message_ids: list[str] | None = Field(
        None, max_length=1000, description="All that failed if left out."
    )


class ReplayAnswer(BaseModel):
    """How many wait again."""

    replayed: int
