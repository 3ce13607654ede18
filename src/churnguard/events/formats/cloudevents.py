"""CloudEvents 1.0: the attributes say who sent what when; ``data`` has the canonical columns.

``source`` and ``id`` together are the event's id, as the specification has it; ``type`` without its
prefix and version is the event's name; ``subject`` stands for the customer where ``data`` names
none.
"""

from __future__ import annotations

import re
from typing import Any

from churnguard.events.formats.items import Item, checked

REQUIRED = ("id", "source", "specversion", "type")
_VERSION = re.compile(r"v?\d+(\.\d+)*")


def read_cloud_event(message: Any) -> Item:
    """Return the event of a CloudEvent in its JSON form.

    Parameters
    ----------
    message : object
        As parsed from JSON; of a binary one, its ``ce-`` headers without the prefix and ``data``.

    Examples
    --------
    >>> item = read_cloud_event(
    ...     {"specversion": "1.0", "id": "7", "source": "/shop", "type": "com.shop.signed_in.v1",
    ...      "subject": "C1", "time": "2026-11-21T08:00:00Z"}
    ... )
    >>> item.rows[0]["event_id"], item.rows[0]["event"], item.rows[0]["customer_id"]
    ('/shop/7', 'signed_in', 'C1')
    """
    if not isinstance(message, dict):
        return Item(broken="The CloudEvent is no JSON object.", text=message)
    for name in REQUIRED:
        if not isinstance(message.get(name), str) or not message[name]:
            return Item(broken=f"The CloudEvent lacks the attribute '{name}'.", text=message)
    if message["specversion"] != "1.0":
        return Item(broken="The CloudEvent is not of version 1.0.", text=message)
    data = message.get("data")
    if data is not None and not isinstance(data, dict):
        return Item(broken="The CloudEvent's data is no JSON object.", text=message)
    if "data_base64" in message:
        return Item(broken="The CloudEvent's data is binary, not JSON.", text=message)
    row = {
        "customer_id": message.get("subject"),
        "occurred_at": message.get("time"),
        **(data or {}),
        "event_id": f"{message['source']}/{message['id']}",
        "event": event_name(message["type"]),
    }
    return checked(row, message) or Item((row,))


def event_name(kind: str) -> str:
    """Return the event's name in a CloudEvent's type.

    Examples
    --------
    >>> event_name("com.example.shop.order_completed.v2"), event_name("signed_in")
    ('order_completed', 'signed_in')
    """
    parts = [part for part in kind.split(".") if part]
    while len(parts) > 1 and _VERSION.fullmatch(parts[-1]):
        parts.pop()
    return parts[-1] if parts else ""
