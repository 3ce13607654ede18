"""Reads a body of events: strict JSON, in the format that its headers and messages show.

A message with one of Segment's ``type`` is a call of Segment; a media type or ``ce-`` headers say
CloudEvents; everything else is native.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from starlette.exceptions import HTTPException

from churnguard.events.formats import (
    Item,
    read_cloud_event,
    read_items,
    read_native,
    read_segment,
)
from churnguard.events.formats.segment import is_call
from churnguard.serving.strict_json import read_json

MOST_EVENTS = 1_000
"""Messages in one request at most."""
MOST_BYTES = 5_000_000
"""Bytes in one request at most; a batch of 500 events has about 200,000."""

JSON = "application/json"
CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENTS = "application/cloudevents-batch+json"
_PREFIX = "ce-"


def read_body(body: bytes, headers: Mapping[str, str]) -> list[Item]:
    """Return the messages of a request.

    Parameters
    ----------
    body : bytes
        As it came.
    headers : mapping
        With their names in lower case.

    Raises
    ------
    HTTPException
        415 for a body that is compressed or no JSON, 413 for too many messages.
    SchemaError
        If the body is no strict JSON, or holds no messages.

    Examples
    --------
    >>> read_body(b'{"event": "signed_in"}', {"content-type": "application/json"})[0].rows
    ({'event': 'signed_in'},)
    """
    kind = headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "The body is compressed. Send it as it is.")
    if kind not in (JSON, CLOUD_EVENT, CLOUD_EVENTS):
        raise HTTPException(415, f"The body is no JSON: send {JSON}, {CLOUD_EVENT} or a batch.")
    parsed = read_json(body)
    if kind == JSON and f"{_PREFIX}specversion" in headers:
        return [read_cloud_event(_binary(headers, parsed))]
    messages = read_items(parsed)
    if len(messages) > MOST_EVENTS:
        raise HTTPException(413, f"A request may have {MOST_EVENTS} events.")
    read: Callable[[Any], Item] = _read_one if kind == JSON else read_cloud_event
    return [read(message) for message in messages]


def _read_one(message: Any) -> Item:
    if isinstance(message, dict) and is_call(message):
        return read_segment(message)
    return read_native(message)


def _binary(headers: Mapping[str, str], data: Any) -> dict[str, Any]:
    """Return a CloudEvent whose attributes are headers, in the JSON form."""
    said = {
        name.removeprefix(_PREFIX): unquote(value)
        for name, value in headers.items()
        if name.startswith(_PREFIX)
    }
    return said | {"data": data}
