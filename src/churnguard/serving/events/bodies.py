"""Reads a body of events: strict JSON, in the format that its headers and messages show.

A message with one of Segment's ``type`` is a call of Segment; a media type or ``ce-`` headers say
CloudEvents; everything else is native.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any
from urllib.parse import unquote

import numpy as np
import orjson
from starlette.exceptions import HTTPException

from churnguard.errors import SchemaError
from churnguard.events.formats import (
    Item,
    read_cloud_event,
    read_items,
    read_native,
    read_segment,
)
from churnguard.events.formats.segment import CALLS

MOST_EVENTS = 1_000
"""Messages in one request at most."""
MOST_BYTES = 5_000_000
"""Bytes in one request at most; a batch of 500 events has about 200,000."""

JSON = "application/json"
CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENTS = "application/cloudevents-batch+json"
_PREFIX = "ce-"
_NESTS = frozenset({dict, list})
_COLON, _QUOTE, _SPACE = (ord(character) for character in ':" ')


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


def read_json(body: bytes) -> Any:
    """Return what a body says, if every object in it says each name once.

    Raises
    ------
    SchemaError
        If it is no JSON (RFC 8259), or a name occurs twice in an object.

    Examples
    --------
    >>> read_json(b'{"value": 1, "value": 2}')
    Traceback (most recent call last):
        ...
    churnguard.errors.SchemaError: The body names 'value' twice in one object.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise SchemaError(f"The body is no JSON: {error}.") from None
    nests = body.count(b"{") + body.count(b"[")
    if _count_quoted(body) != _count_names(parsed, nests):
        _refuse_twins(body)
    return parsed


def _count_quoted(body: bytes) -> int:
    """Count '":', of which each name has one; -1 where a space may stand between."""
    text = np.frombuffer(body, np.uint8)
    before = text[np.flatnonzero(text == _COLON) - 1]
    return -1 if (before <= _SPACE).any() else int(np.count_nonzero(before == _QUOTE))


def _count_names(parsed: Any, most_nests: int) -> int:
    """Count the names of all objects within, level by level, until no more nests can come."""
    level = [parsed] if type(parsed) in _NESTS else []
    count, nests = 0, 0
    while level:
        objects = [value for value in level if type(value) is dict]
        count += sum(map(len, objects))
        nests += len(level)
        if nests == most_nests:
            break
        parts = chain(*(one.values() for one in objects), *(v for v in level if type(v) is list))
        level = [value for value in parts if type(value) in _NESTS]
    return count


def _refuse_twins(body: bytes) -> None:
    import json

    def once(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise SchemaError(f"The body names '{name[:50]}' twice in one object.")
            seen.add(name)

    try:
        json.loads(body, object_pairs_hook=once)
    except RecursionError:
        raise SchemaError("The body is nested too deeply.") from None


def _read_one(message: Any) -> Item:
    if isinstance(message, dict) and message.get("type") in CALLS:
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
