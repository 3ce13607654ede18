"""Segment's calls, by its common fields and its e-commerce specification, version 2.

``track`` becomes an event, an order's products become its lines, ``identify`` and ``alias`` say
that two ids are one customer, ``page`` and ``screen`` become a visit. Traits and context are never
kept: they hold names, addresses and devices.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from churnguard.clock import iso
from churnguard.events.formats.items import Item, checked
from churnguard.events.readers.columns import text_of

COLUMNS = (
    "value", "quantity", "order_id", "cart_id", "session_id", "product_id", "category", "currency",
    "kind", "discount",
)  # fmt: skip
"""Properties that are columns of the canonical table; all others stay properties."""

ORDER_TOTALS = ("total", "revenue", "value", "subtotal")
"""What an order is worth: the first that is there. Refunds say ``total`` only, so orders are
counted by it too: a full refund leaves nothing."""

LINES = {
    "order_completed": "product_ordered",
    "order_refunded": "product_returned",
}
"""Events whose products become events of their own."""

_ORDERS = frozenset({*LINES, "order_cancelled", "order_updated", "checkout_started"})
_BETWEEN = re.compile(r"[^a-z0-9]+")


def read_segment(message: Any) -> Item:
    """Return what a call of Segment means.

    Examples
    --------
    >>> item = read_segment(
    ...     {"type": "track", "messageId": "m1", "userId": "C1", "event": "Order Completed",
    ...      "timestamp": "2026-11-21T08:00:00Z", "properties": {"order_id": "7", "total": 25.0,
    ...      "products": [{"product_id": "P1", "price": 12.5, "quantity": 2}]}}
    ... )
    >>> [(row["event_id"], row["event"], row["value"]) for row in item.rows]
    [('m1', 'order_completed', 25.0), ('m1#1', 'product_ordered', 25.0)]
    >>> read_segment({"type": "identify", "userId": "C1", "anonymousId": "a-9"}).link
    ('a-9', 'C1')
    """
    if not isinstance(message, dict):
        return Item(broken="The call is no JSON object.", text=message)
    read = CALLS.get(str(message.get("type")))
    if read is None:
        return Item(broken=f"There is no Segment call '{message.get('type')}'.", text=message)
    properties = message.get("properties")
    if properties is not None and not isinstance(properties, dict):
        return Item(broken="The call's properties are no JSON object.", text=message)
    item = read(message, properties or {})
    return (checked(item.rows[0], message) if item.rows else None) or item


def is_call(message: Mapping[str, Any]) -> bool:
    """Tell whether a message is one of Segment's: its ``type`` is a call, or its ids are theirs.

    Examples
    --------
    >>> is_call({"type": "track"}), is_call({"type": "trakc", "userId": "C1"})
    (True, True)
    >>> is_call({"event": "signed_in", "customer_id": "C1", "type": "app"})
    False
    """
    kind = message.get("type")
    if isinstance(kind, str) and kind in CALLS:
        return True
    return kind is not None and not message.keys().isdisjoint({"userId", "anonymousId"})


def event_name(name: Any) -> str | None:
    """Return a name in snake_case; what is no text is left to be judged, as text.

    Examples
    --------
    >>> event_name("Order Completed"), event_name("signed_in"), event_name(["x"])
    ('order_completed', 'signed_in', '["x"]')
    """
    return _BETWEEN.sub("_", name.lower()).strip("_") if isinstance(name, str) else text_of(name)


def occurred_at(message: Mapping[str, Any]) -> Any:
    """Return when it happened, on a clock that can be trusted as far as the message allows.

    Segment's own ``timestamp`` is already ``receivedAt - (sentAt - originalTimestamp)``; it is
    worked out here where it was left out. Nothing is corrected by the time at which the message
    reaches us, because then the same message sent twice would say two different things.

    Examples
    --------
    >>> occurred_at({"originalTimestamp": "2026-11-21T09:00:00Z",
    ...              "sentAt": "2026-11-21T09:00:02Z", "receivedAt": "2026-11-21T08:00:05Z"})
    '2026-11-21T08:00:03Z'
    """
    if message.get("timestamp") is not None:
        return message["timestamp"]
    received, sent, original = (
        _instant(message.get(name)) for name in ("receivedAt", "sentAt", "originalTimestamp")
    )
    if received and sent and original:
        return iso(received - (sent - original))
    named = ("originalTimestamp", "sentAt", "receivedAt")
    return next((message[name] for name in named if message.get(name) is not None), None)


def _track(message: Mapping[str, Any], properties: Mapping[str, Any]) -> Item:
    event = event_name(message.get("event"))
    row = _row(message, properties) | {"event": event}
    products = properties.get("products")
    products = products if isinstance(products, list) else []
    if event in _ORDERS:
        row["value"] = _first(properties, ORDER_TOTALS)
        if row["quantity"] is None and products:
            row["quantity"] = _units(products)
    elif row["value"] is None:
        row["value"] = _results(properties) if event == "products_searched" else _worth(properties)
    lines = LINES.get(event or "")
    if lines is None or not products:
        return Item((row,))
    return Item((row, *(_line(row, lines, at, one) for at, one in enumerate(products, 1))))


def _visit(message: Mapping[str, Any], properties: Mapping[str, Any]) -> Item:
    """Keep that there was a visit; addresses of pages hold what people typed, so they are not."""
    kept = {"name": message["name"]} if isinstance(message.get("name"), str) else {}
    row = _row(message, kept) | {
        "event": f"{message['type']}_viewed",
        "category": message.get("category", properties.get("category")),
    }
    return Item((row,))


def _identify(message: Mapping[str, Any], _: Mapping[str, Any]) -> Item:
    user, anonymous = _id(message.get("userId")), _id(message.get("anonymousId"))
    if user and anonymous and user != anonymous:
        return Item(link=(anonymous, user))
    return Item(ignored="no_link")


def _alias(message: Mapping[str, Any], _: Mapping[str, Any]) -> Item:
    user = _id(message.get("userId"))
    previous = _id(message.get("previousId")) or _id(message.get("anonymousId"))
    if user and previous and user != previous:
        return Item(link=(previous, user))
    return Item(ignored="no_link")


def _group(_: Mapping[str, Any], __: Mapping[str, Any]) -> Item:
    return Item(ignored="no_event")


CALLS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Item]] = {
    "track": _track,
    "page": _visit,
    "screen": _visit,
    "identify": _identify,
    "alias": _alias,
    "group": _group,
}
"""What is done with each kind of call."""


def _row(message: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    user = message.get("userId")
    others = {
        name: value
        for name, value in properties.items()
        if name not in COLUMNS and name != "products" and value is not None
    }
    row: dict[str, Any] = {name: properties.get(name) for name in COLUMNS}
    if row["product_id"] is None:
        row["product_id"] = others.pop("sku", None)
    return row | {
        "event_id": message.get("messageId"),
        "customer_id": message.get("anonymousId") if user in (None, "") else user,
        "occurred_at": occurred_at(message),
        "properties": others or None,
    }


def _line(order: Mapping[str, Any], event: str, number: int, product: Any) -> dict[str, Any]:
    """Return one product of an order; its id is the order's with its number."""
    said = product if isinstance(product, dict) else {"product_id": product}
    others = {
        name: value
        for name, value in said.items()
        if name not in (*COLUMNS, "price", "sku") and value is not None
    }
    parent = order["event_id"]
    return {
        **{name: order[name] for name in ("customer_id", "occurred_at", "order_id", "currency")},
        "event_id": None if parent is None else f"{parent}#{number}",
        "event": event,
        "product_id": said.get("product_id", said.get("sku")),
        "category": said.get("category"),
        "quantity": 1 if said.get("quantity") is None else said["quantity"],
        "value": _worth(said),
        "discount": said.get("discount"),
        "properties": others or None,
    }


def _worth(said: Mapping[str, Any]) -> Any:
    """Return price times quantity, to 1/10,000; what is no number is left to be judged."""
    price, quantity = said.get("price"), said.get("quantity")
    if price is None:
        return said.get("value")
    if quantity is None:
        return price
    numbers = (int, float)
    if type(price) not in numbers or type(quantity) not in numbers:
        price, quantity = _number(price), _number(quantity)
    if price is None or quantity is None:
        return said["price"]
    return round(price * quantity, 4)


def _number(value: Any) -> float | None:
    try:
        return float(value) if not isinstance(value, bool) else None
    except (TypeError, ValueError):
        return None


def _units(products: list[Any]) -> Any:
    """Return the units of an order's products, where all of them say a number."""
    said = [one.get("quantity", 1) if isinstance(one, dict) else 1 for one in products]
    numbers = [_number(1 if each is None else each) for each in said]
    return None if None in numbers else sum(each for each in numbers if each is not None)


def _results(properties: Mapping[str, Any]) -> Any:
    """Return how much a search found; our own extension of the specification."""
    return _first(properties, ("results_count", "results"))


def _first(said: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((said[name] for name in names if said.get(name) is not None), None)


def _id(value: Any) -> str:
    """Return an id as text; what cannot be one is none."""
    if isinstance(value, bool | dict | list) or value is None:
        return ""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text.strip()


def _instant(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return None if found.tzinfo is None else found.astimezone(UTC)
