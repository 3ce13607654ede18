"""Webhook endpoints: made, looked at, given a new secret, and sent to again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from churnguard.errors import EndpointNotFound, InvalidRequest
from churnguard.jobs.audit import record
from churnguard.jobs.messages import MESSAGE_TYPES
from churnguard.jobs.pages import paged
from churnguard.jobs.ports import Delivery, DeliveryState, Endpoint, Shop
from churnguard.jobs.webhook_signature import webhook_secret
from churnguard.project.layout import Layout
from churnguard.project.secrets import service_key

MOST_ENDPOINTS = 20


def add_webhook(
    shop: Shop, url: str, events: Sequence[str], *, actor: str, description: str = ""
) -> Endpoint:
    """Keep a new endpoint.

    Parameters
    ----------
    shop : Shop
        An opened project.
    url : str
        Where to send: https, or an address in ``webhook_allow``.
    events : sequence of str
        The types of message wanted; :data:`churnguard.jobs.messages.MESSAGE_TYPES`.
    actor : str
        Who asks, for the audit log.
    description : str
        For people.

    Raises
    ------
    InvalidRequest
        If nothing may be sent there, a type is unknown, or there are enough endpoints already.
    """
    unknown = sorted(set(events) - MESSAGE_TYPES.keys())
    if unknown or not events:
        raise InvalidRequest(
            f"There is no message type '{unknown[0]}'." if unknown else "No message type is named.",
            hint=f"Types are {', '.join(MESSAGE_TYPES)}.",
        )
    why = shop.courier.refuse(url)
    if why is not None:
        raise InvalidRequest(why, hint="Name a public https address.")
    if len(shop.outbox.endpoints()) >= MOST_ENDPOINTS:
        raise InvalidRequest(
            f"There are {MOST_ENDPOINTS} endpoints already.", hint="Remove one that is not used."
        )
    types = tuple(dict.fromkeys(events))
    made = shop.outbox.add_endpoint(url, types, now=shop.clock(), description=description)
    record(shop, actor, "webhook.created", endpoint_id=made.endpoint_id)
    return made


def webhook(shop: Shop, endpoint_id: str) -> Endpoint:
    """Return an endpoint.

    Raises
    ------
    EndpointNotFound
        If there is none of this id.
    """
    return _found(shop.outbox.endpoint(endpoint_id))


def remove_webhook(shop: Shop, endpoint_id: str, *, actor: str) -> None:
    """Remove an endpoint, and what waits for it.

    Raises
    ------
    EndpointNotFound
        If there is none of this id.
    """
    if not shop.outbox.remove_endpoint(endpoint_id):
        _found(None)
    record(shop, actor, "webhook.removed", endpoint_id=endpoint_id)


def rotate_webhook(shop: Shop, endpoint_id: str, *, actor: str) -> Endpoint:
    """Give an endpoint a new secret; for a day the one before signs as well.

    Raises
    ------
    EndpointNotFound
        If there is none of this id.
    """
    rotated = _found(shop.outbox.rotate(endpoint_id, now=shop.clock()))
    record(shop, actor, "webhook.rotated", endpoint_id=endpoint_id)
    return rotated


def enable_webhook(shop: Shop, endpoint_id: str) -> Endpoint:
    """Send to an endpoint again that was disabled.

    Raises
    ------
    EndpointNotFound
        If there is none of this id.
    """
    return _found(shop.outbox.enable(endpoint_id))


def replay(shop: Shop, endpoint_id: str, *, message_ids: Collection[str] | None = None) -> int:
    """Send failed messages again, all or these; return how many.

    Raises
    ------
    EndpointNotFound
        If there is no such endpoint.
    InvalidRequest
        If it is disabled.
    """
    endpoint = webhook(shop, endpoint_id)
    if endpoint.disabled_at is not None:
        raise InvalidRequest("The endpoint is disabled.", hint="Enable it first.")
    return shop.outbox.replay(endpoint_id, now=shop.clock(), message_ids=message_ids)


def shown_secret(shop: Shop, endpoint_id: str, generation: int) -> str:
    """Return a secret for the one time that it is shown."""
    key = service_key(Layout(shop.root), shop.environ)
    return webhook_secret(key, endpoint_id, generation)


@dataclass(frozen=True)
class DeliveryPage:
    """One page of deliveries, newest first; ``next_page_token`` is empty on the last one."""

    deliveries: tuple[Delivery, ...]
    next_page_token: str


def deliveries(
    shop: Shop,
    endpoint_id: str,
    *,
    state: DeliveryState | None = None,
    page_size: int = 0,
    page_token: str = "",
) -> DeliveryPage:
    """Return one page of what was, or waits to be, sent to an endpoint.

    Raises
    ------
    EndpointNotFound
        If there is no such endpoint.
    InvalidRequest
        If the page size is negative or the token is not one that was handed out.
    """
    webhook(shop, endpoint_id)
    size, before = paged(page_size, page_token)
    found = shop.outbox.deliveries(endpoint_id, state=state, limit=size + 1, before=before)
    more = len(found) > size
    return DeliveryPage(tuple(found[:size]), str(found[size - 1].number) if more else "")


def _found(endpoint: Endpoint | None) -> Endpoint:
    if endpoint is None:
        raise EndpointNotFound(
            "There is no such webhook endpoint.", hint="GET /v1/webhooks lists them."
        )
    return endpoint
