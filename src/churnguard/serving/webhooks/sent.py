"""What is sent to webhook endpoints, for the API's description: OpenAPI's ``webhooks``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

from churnguard.jobs.messages import MESSAGE_TYPES


class RiskRaisedData(BaseModel):
    """Whose risk rose, and from where to where."""

    customer_id: str
    band: Literal["medium", "high"]
    previous_band: Literal["low", "medium"]
    horizon_days: int
    as_of: str


class RiskRaised(BaseModel):
    """A customer's risk rose into a higher band."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "risk.raised",
                    "timestamp": "2026-11-21T08:00:05Z",
                    "data": {
                        "customer_id": "C123",
                        "band": "high",
                        "previous_band": "medium",
                        "horizon_days": 90,
                        "as_of": "2026-11-21T08:00:05Z",
                    },
                }
            ]
        }
    )

    type: Literal["risk.raised"]
    timestamp: str
    data: RiskRaisedData


class ActionSuggestedData(BaseModel):
    """For whom which action; outcomes are reported to ``decision_id``."""

    customer_id: str
    decision_id: str
    action: str
    channel: str
    as_of: str


class ActionSuggested(BaseModel):
    """Another action than before is worth its cost; never of customers who are held out."""

    type: Literal["action.suggested"]
    timestamp: str
    data: ActionSuggestedData


class SubjectErasedData(BaseModel):
    """Who was erased, by which receipt."""

    customer_id: str
    receipt_id: str


class SubjectErased(BaseModel):
    """A person was erased here: erase what you hold of them as well."""

    type: Literal["subject.erased"]
    timestamp: str
    data: SubjectErasedData


BODIES: dict[str, type[BaseModel]] = {
    "risk.raised": RiskRaised,
    "action.suggested": ActionSuggested,
    "subject.erased": SubjectErased,
}
"""The body of each type of message."""

_ABOUT = (
    "Sent as Standard Webhooks 1.0.0 has it: headers `webhook-id` (the same for every attempt: "
    "take each once), `webhook-timestamp` and `webhook-signature`. Answer 2xx within 15 seconds."
)


def describe_webhooks(app: FastAPI) -> None:
    """Add every type of message to an app's description."""
    for kind, told in MESSAGE_TYPES.items():
        app.webhooks.add_api_route(
            kind,
            _receiver(BODIES[kind]),
            methods=["POST"],
            name=kind,
            operation_id=kind.replace(".", "_"),
            summary=told,
            description=_ABOUT,
            tags=["webhooks"],
            response_model=None,
            response_description="Taken; any 2xx will do.",
            responses={
                "4XX": {"description": "Not taken: sent again later. 410 disables the endpoint."}
            },
        )


def _receiver(body: type[BaseModel]) -> Callable[..., None]:
    """Return the shape of a receiver's endpoint; it is described, never called."""

    def receive(message) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001, ARG001
        return None

    receive.__annotations__ = {"message": body, "return": None}
    return receive
