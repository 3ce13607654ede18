"""``/v1/webhooks``: endpoints, their secrets, what was delivered, and sending again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from churnguard.clock import iso
from churnguard.jobs import webhooks
from churnguard.jobs.ports import Delivery, Endpoint
from churnguard.serving.answers import Json
from churnguard.serving.auth import Caller, requires
from churnguard.serving.idempotency import MayRepeat
from churnguard.serving.pages import PageSize, PageToken
from churnguard.serving.problems import problem_responses
from churnguard.serving.routes import SoundJsonRoute
from churnguard.serving.storable import STORABLE
from churnguard.serving.webhooks.schemas import (
    DeliveriesAnswer,
    RemovedAnswer,
    ReplayAnswer,
    ReplayRequest,
    WebhookAnswer,
    WebhookRequest,
    WebhooksAnswer,
    WebhookWithSecretAnswer,
)

router = APIRouter(tags=["webhooks"], route_class=SoundJsonRoute)

Keeper = Annotated[Caller, Depends(requires("webhooks:write"))]
"""A caller who may keep webhook endpoints."""
WebhookId = Annotated[str, Path(max_length=64, pattern=STORABLE, examples=["we_6b1f9f6e0c0c4a3b"])]
_FIND = problem_responses(401, 403, 404, 422)
_WRITE = problem_responses(400, 401, 403, 404, 409, 413, 422)


@router.get(
    "/v1/webhooks",
    response_model=WebhooksAnswer,
    responses=problem_responses(401, 403, 422),
    summary="List the webhook endpoints",
)
def get_webhooks(caller: Keeper) -> Json:
    """List all endpoints, the oldest first; there are at most 20."""
    return Json({"webhooks": [_told(one) for one in caller.door.shop.outbox.endpoints()]})


@router.post(
    "/v1/webhooks",
    response_model=WebhookWithSecretAnswer,
    responses=problem_responses(400, 401, 403, 409, 413, 422),
    summary="Make a webhook endpoint",
)
def post_webhook(caller: Keeper, once: MayRepeat, body: WebhookRequest) -> Response:
    """Keep an endpoint. Its secret is in this answer and in no other.

    What is sent is signed by Standard Webhooks 1.0.0: check `webhook-signature` with the secret.
    """

    def work() -> Response:
        made = webhooks.add_webhook(
            caller.door.shop,
            body.url,
            body.events,
            actor=f"key:{caller.key.key_id}",
            description=body.description,
        )
        return Json(_told(made))

    return _with_secret(caller, once.answer(caller, work))


@router.get(
    "/v1/webhooks/{webhook_id}",
    response_model=WebhookAnswer,
    responses=_FIND,
    summary="Look at a webhook endpoint",
)
def get_webhook(caller: Keeper, webhook_id: WebhookId) -> Json:
    """Return one endpoint, and since when it is disabled, if it is."""
    return Json(_told(webhooks.webhook(caller.door.shop, webhook_id)))


@router.delete(
    "/v1/webhooks/{webhook_id}",
    response_model=RemovedAnswer,
    responses=_FIND,
    summary="Remove a webhook endpoint",
)
def delete_webhook(caller: Keeper, webhook_id: WebhookId) -> Json:
    """Remove an endpoint; what waits for it is not sent any more."""
    webhooks.remove_webhook(caller.door.shop, webhook_id, actor=f"key:{caller.key.key_id}")
    return Json({"webhook_id": webhook_id, "removed": True})


@router.post(
    "/v1/webhooks/{webhook_id}/rotate",
    response_model=WebhookWithSecretAnswer,
    responses=_WRITE,
    summary="Give a webhook endpoint a new secret",
)
def post_rotation(caller: Keeper, once: MayRepeat, webhook_id: WebhookId) -> Response:
    """Make a new secret.

    For 24 hours each message carries two signatures, the old secret's as well, so that the
    receiver can change over without missing any.
    """

    def work() -> Response:
        actor = f"key:{caller.key.key_id}"
        return Json(_told(webhooks.rotate_webhook(caller.door.shop, webhook_id, actor=actor)))

    return _with_secret(caller, once.answer(caller, work))


@router.post(
    "/v1/webhooks/{webhook_id}/enable",
    response_model=WebhookAnswer,
    responses=_WRITE,
    summary="Send to a disabled endpoint again",
)
def post_enable(caller: Keeper, once: MayRepeat, webhook_id: WebhookId) -> Response:
    """Enable an endpoint that was disabled because it answered 410; then replay what failed."""
    return once.answer(
        caller, lambda: Json(_told(webhooks.enable_webhook(caller.door.shop, webhook_id)))
    )


@router.get(
    "/v1/webhooks/{webhook_id}/deliveries",
    response_model=DeliveriesAnswer,
    responses=problem_responses(400, 401, 403, 404, 422),
    summary="What was sent to an endpoint, and what waits",
)
def get_deliveries(
    caller: Keeper,
    webhook_id: WebhookId,
    *,
    state: Annotated[Literal["waiting", "delivered", "failed", "cancelled"] | None, Query()] = None,
    page_size: PageSize = 0,
    page_token: PageToken = "",
) -> Json:
    """List deliveries, the newest first."""
    page = webhooks.deliveries(
        caller.door.shop, webhook_id, state=state, page_size=page_size, page_token=page_token
    )
    rows = [_delivery(one) for one in page.deliveries]
    return Json({"deliveries": rows, "next_page_token": page.next_page_token})


@router.post(
    "/v1/webhooks/{webhook_id}/replay",
    response_model=ReplayAnswer,
    responses=_WRITE,
    summary="Send failed messages again",
)
def post_replay(
    caller: Keeper, once: MayRepeat, webhook_id: WebhookId, body: ReplayRequest
) -> Response:
    """Let failed messages wait again from their first attempt on, under the same message ids."""

    def work() -> Response:
        ids = body.message_ids
        return Json({"replayed": webhooks.replay(caller.door.shop, webhook_id, message_ids=ids)})

    return once.answer(caller, work)


def _with_secret(caller: Caller, response: Response) -> Response:
    """Add the secret to an answer: it is derived, so that a kept reply need not hold it."""
    told: dict[str, Any] = orjson.loads(response.body)
    secret = webhooks.shown_secret(caller.door.shop, told["webhook_id"], told["secret_generation"])
    answer = Json(told | {"secret": secret}, response.status_code)
    answer.headers["Cache-Control"] = "no-store"
    if "Idempotent-Replayed" in response.headers:
        answer.headers["Idempotent-Replayed"] = response.headers["Idempotent-Replayed"]
    return answer


def _told(one: Endpoint) -> dict[str, Any]:
    return {
        "webhook_id": one.endpoint_id,
        "url": one.url,
        "events": list(one.events),
        "description": one.description,
        "created_at": iso(one.created_at),
        "secret_generation": one.generation,
        "rotated_at": iso(one.rotated_at) if one.rotated_at else None,
        "disabled_at": iso(one.disabled_at) if one.disabled_at else None,
        "disabled_reason": one.disabled_reason,
    }


def _delivery(one: Delivery) -> dict[str, Any]:
    return {
        "message_id": one.message.message_id,
        "type": one.message.type,
        "created_at": iso(one.message.created_at),
        "state": one.state,
        "attempts": one.attempts,
        "next_at": iso(one.next_at) if one.state == "waiting" else None,
        "last_status": one.last_status,
        "last_error": one.last_error,
        "delivered_at": iso(one.delivered_at) if one.delivered_at else None,
    }
