"""Names rows after what they say, so that the same row has the same name in any file, for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b

import orjson
import pyarrow as pa

from churnguard.events.schema import EVENT_SCHEMA

_SAID = [
    item.name for item in EVENT_SCHEMA if item.name not in {"event_id", "received_at", "clock"}
]


def digests(columns: Mapping[str, pa.Array], *, repeats: bool) -> list[str]:
    """Return a short digest of what each row says.

    Parameters
    ----------
    columns : mapping of str to pyarrow.Array
        Those of the event schema; when a row was received is not part of what it says.
    repeats : bool
        Whether rows that say the same are told apart, by their number from the second on.
    """
    rows = zip(*(columns[name].to_pylist() for name in _SAID), strict=True)
    found = [blake2b(orjson.dumps(row), digest_size=8).hexdigest() for row in rows]
    return numbered(found) if repeats else found


def numbered(names: list[str]) -> list[str]:
    """Return names of which each occurs once: from its second time on it has a number.

    Examples
    --------
    >>> numbered(["a", "b", "a", "a"])
    ['a', 'b', 'a~2', 'a~3']
    """
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}~{seen[name]}")
    return found
