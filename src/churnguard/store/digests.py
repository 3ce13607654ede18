"""Short, stable digests by which the store finds events and customers.

They are part of what is on disk: changing one means a migration.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

BUCKETS = 16
"""Parts of the history into which customers are hashed."""


def event_key(event_id: str) -> bytes:
    """Return the 16 bytes under which an event id is kept for ever.

    Examples
    --------
    >>> len(event_key("e1"))
    16
    """
    return event_keys([event_id])[0]


def customer_key(customer_id: str) -> int:
    """Return the int64 under which a customer's events are indexed; readers compare the id too.

    Examples
    --------
    >>> customer_key("C1") == customer_key("C1"), customer_key("C1") == customer_key("C2")
    (True, False)
    """
    return customer_keys([customer_id])[0]


def bucket_of(key: int) -> int:
    """Return the history's bucket, 0 to 15, of a customer key.

    Examples
    --------
    >>> 0 <= bucket_of(customer_key("C1")) < BUCKETS
    True
    """
    return key % BUCKETS


def event_keys(event_ids: Iterable[str]) -> list[bytes]:
    """Return the key of each of many event ids.

    Examples
    --------
    >>> event_keys(["e1"]) == [event_key("e1")]
    True
    """
    return _digests(_KEY, (event_id.encode() for event_id in event_ids))


def customer_keys(customer_ids: Iterable[str]) -> list[int]:
    """Return the key of each of many customers.

    Examples
    --------
    >>> customer_keys(["C1"]) == [customer_key("C1")]
    True
    """
    return _int64s(customer_id.encode() for customer_id in customer_ids)


def payload_digests(payloads: Iterable[bytes]) -> list[int]:
    """Return the int64s by which payloads are told from others with the same event id."""
    return _int64s(payloads)


_KEY, _INT64 = blake2b(digest_size=16), blake2b(digest_size=8)


def _digests(of_nothing: blake2b, many: Iterable[bytes]) -> list[bytes]:
    """Go on from a copy each time: that is cheaper than to begin anew."""
    copy, found = of_nothing.copy, []
    for data in many:
        digest = copy()
        digest.update(data)
        found.append(digest.digest())
    return found


def _int64s(many: Iterable[bytes]) -> list[int]:
    found: list[int] = np.frombuffer(b"".join(_digests(_INT64, many)), ">i8").tolist()
    return found
