"""The native format: an object with the columns of the canonical table."""

from __future__ import annotations

from typing import Any

from churnguard.events.formats.items import Item, checked

_NO_OBJECT = "The event is no JSON object."


def read_native(message: Any) -> Item:
    """Return an event that says the canonical columns by their names.

    Examples
    --------
    >>> read_native({"event": "signed_in"}).rows
    ({'event': 'signed_in'},)
    >>> read_native(7).broken
    'The event is no JSON object.'
    """
    if not isinstance(message, dict):
        return Item(broken=_NO_OBJECT, text=message)
    return checked(message, message) or Item((message,))
