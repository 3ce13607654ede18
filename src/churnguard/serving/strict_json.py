"""JSON as RFC 8259 has it, and every name once in an object.

Readers disagree about which of two equal names counts, so a body that says one twice would be
checked by one of its values and used by the other.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import orjson

from churnguard.errors import SchemaError

_NESTS = frozenset({dict, list})
_COLON, _QUOTE, _SPACE = (ord(character) for character in ':" ')


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
