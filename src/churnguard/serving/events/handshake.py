"""``OPTIONS /v1/events``: a CloudEvents sender asks whether it may deliver here, and how fast.

HTTP 1.1 Web Hooks for Event Delivery 1.0, section 4: who agrees names the origin that asked, or
says nothing at all. The answer is given at once, so a callback address is never called.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header
from starlette.responses import Response

from churnguard.serving.auth import Sender
from churnguard.serving.problems import problem_responses

router = APIRouter(tags=["events"])
_ORIGIN = r"^[A-Za-z0-9.:_/-]{1,253}$"
_HEADERS = {
    "WebHook-Allowed-Origin": "The origin that asked, which may deliver.",
    "WebHook-Allowed-Rate": "Events a minute that the key may send; * is without limit.",
    "Allow": "How to deliver.",
}


@router.options(
    "/v1/events",
    responses={
        200: {
            "description": "The sender may deliver.",
            "headers": {
                name: {"schema": {"type": "string"}, "description": meaning}
                for name, meaning in _HEADERS.items()
            },
        },
        **problem_responses(401, 403, 422, 429, 503),
    },
    response_class=Response,
    summary="May CloudEvents be delivered here?",
)
def options_events(
    caller: Sender,
    origin: Annotated[
        str,
        Header(
            alias="WebHook-Request-Origin",
            pattern=_ORIGIN,
            description="Who asks: the name of the sending system.",
            examples=["events.shop.example"],
        ),
    ],
) -> Response:
    """Agree to deliveries of whoever holds a key that may send events.

    Afterwards CloudEvents are sent by `POST`, with the same key.
    """
    rate = caller.door.shop.settings.events_per_minute
    headers = {
        "Allow": "OPTIONS, POST",
        "WebHook-Allowed-Origin": origin,
        "WebHook-Allowed-Rate": str(rate) if rate else "*",
    }
    return Response(headers=headers)
