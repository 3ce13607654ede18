"""What a body holds: one message or many, each of the format that it shows itself to have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from churnguard.errors import SchemaError


class Item(NamedTuple):
    """One message, read.

    Attributes
    ----------
    rows : sequence of dict
        Rows of the canonical table: the event, then the lines that belong to it.
    link : tuple of str, optional
        An id, and the customer who turned out to have it.
    ignored : str
        Why the message is nothing that is kept, as a code; empty for the others.
    broken : str
        Why the message cannot be read; empty for the others.
    text : object
        What a message that cannot be read says.
    """

    rows: Sequence[dict[str, Any]] = ()
    link: tuple[str, str] | None = None
    ignored: str = ""
    broken: str = ""
    text: Any = None


def checked(row: dict[str, Any], message: Any) -> Item | None:
    """Return why a row names nobody, or no event: an id that is neither text nor a number.

    As text it would be an id all the same, such as ``["C1"]``, and a customer of its own.

    Examples
    --------
    >>> checked({"customer_id": ["C1"]}, {}).broken
    'customer_id is neither text nor a number.'
    >>> checked({"customer_id": 17}, {}) is None
    True
    """
    for name in ("customer_id", "event_id"):
        if isinstance(row.get(name), bool | dict | list):
            return Item(broken=f"{name} is neither text nor a number.", text=message)
    return None


def read_items(body: Any) -> list[Any]:
    """Return the messages of a body: one object, a list, or an object with ``events``/``batch``.

    Raises
    ------
    SchemaError
        If it is none of these, or what should be a list is none.

    Examples
    --------
    >>> read_items({"events": [{"event": "signed_in"}]})
    [{'event': 'signed_in'}]
    >>> read_items({"event": "signed_in"})
    [{'event': 'signed_in'}]
    """
    if isinstance(body, list):
        return body
    if not isinstance(body, dict):
        raise SchemaError(
            "The body is neither an object nor a list.",
            hint='Send one event, a list of events, or {"events": [...]}.',
        )
    for name in ("events", "batch"):
        if isinstance(body.get(name), list):
            return list(body[name])
        if name in body and not body.keys() & {"event", "type"}:
            raise SchemaError(f"'{name}' is no list.", hint="Send the events as a list.")
    return [body]
