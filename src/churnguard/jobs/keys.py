"""Make API keys."""

from __future__ import annotations

from collections.abc import Sequence

from churnguard.errors import InvalidRequest
from churnguard.jobs.ports import ApiKey, Shop

SCOPES = ("scores:read", "actions:write", "desk")
"""What a key may allow."""


def create_key(shop: Shop, name: str, scopes: Sequence[str] | None) -> tuple[ApiKey, str]:
    """Make a key with some scopes, or all of them.

    Raises
    ------
    InvalidRequest
        If a scope does not exist.
    """
    unknown = sorted(set(scopes or ()) - set(SCOPES))
    if unknown:
        raise InvalidRequest(
            f"There is no scope '{unknown[0]}'.", hint=f"The scopes are {', '.join(SCOPES)}."
        )
    return shop.keys.create(name, tuple(scopes or SCOPES), now=shop.clock())
