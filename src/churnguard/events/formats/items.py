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


def read_items(body: Any) -> list[Any]:
    """Return the messages of a body: one object, a list, or an object with ``events``/``batch``.

    Raises
    ------
    SchemaError
        If it is none of these.

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
    return [body]
