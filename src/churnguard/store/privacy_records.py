"""The records of what people ask about their own data: restrictions, and receipts of erasures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True)
class Restriction:
    """Since when a person's data may not be used.

    Attributes
    ----------
    objected_at : datetime or None
        Objection to profiling: never scored, taught from, listed or told of.
    restricted_at : datetime or None
        Kept, but not used for anything.
    source : str
        Who said so: ``api``, ``cli``, or the name of a file.
    """

    objected_at: datetime | None = None
    restricted_at: datetime | None = None
    source: str = ""


@dataclass(frozen=True)
class ErasureReceipt:
    """What an erasure did.

    Attributes
    ----------
    receipt_id : str
        Its name.
    at : datetime
        When it was begun.
    state : {"running", "done"}
        ``done`` once every store has been visited; a receipt that is not is no proof.
    body : mapping
        What was removed where, what is kept and why; nothing in it names the person.
    signature : str or None
        Ed25519 over the body, in base64.
    """

    receipt_id: str
    at: datetime
    state: Literal["running", "done"]
    body: Mapping[str, Any] = field(default_factory=dict)
    signature: str | None = None
