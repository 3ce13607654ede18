"""Short, stable digests by which the store finds events and customers.

They are part of what is on disk: changing one means a migration.
"""

from __future__ import annotations

from hashlib import blake2b

BUCKETS = 16
"""Parts of the history into which customers are hashed."""


def event_key(event_id: str) -> bytes:
    """Return the 16 bytes under which an event id is kept for ever.

    Examples
    --------
    >>> len(event_key("e1"))
    16
    """
    return blake2b(event_id.encode(), digest_size=16).digest()


def customer_key(customer_id: str) -> int:
    """Return the int64 under which a customer's events are indexed; readers compare the id too.

    Examples
    --------
    >>> customer_key("C1") == customer_key("C1"), customer_key("C1") == customer_key("C2")
    (True, False)
    """
    return _int64(customer_id.encode())


def bucket_of(key: int) -> int:
    """Return the history's bucket, 0 to 15, of a customer key.

    Examples
    --------
    >>> 0 <= bucket_of(customer_key("C1")) < BUCKETS
    True
    """
    return key % BUCKETS


def payload_digest(payload: bytes) -> int:
    """Return the int64 by which a payload is told from another one with the same event id."""
    return _int64(payload)


def _int64(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big", signed=True)
