"""Make API keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from churnguard.errors import InvalidRequest
from churnguard.jobs.ports import ApiKey, Shop

SCOPES: Mapping[str, str] = {
    "events:write": "send events",
    "scores:read": "read scores with their reasons, the at-risk list, reports and the model card",
    "customers:read": "read one customer's profile, timeline and score changes",
    "actions:write": "report what became of suggested actions",
    "webhooks:write": "see, make and remove webhook endpoints, and send messages again",
    "metrics:read": "read the service's metrics",
    "desk": "sign in at the desk",
    "events:backfill": "send events of the past with an assumed time of receipt",
    "scores:export": "read the at-risk list to its end, page after page",
    "privacy:admin": "read, restrict, and erase all that is known of a person",
}
"""Every scope there is, with what it allows."""

SENSITIVE = ("events:backfill", "scores:export", "privacy:admin")
"""Scopes that a key has only if they are named when it is made."""


def create_key(shop: Shop, name: str, scopes: Sequence[str] | None) -> tuple[ApiKey, str]:
    """Make a key with some scopes, or all but the sensitive ones.

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
    usual = [scope for scope in SCOPES if scope not in SENSITIVE]
    return shop.keys.create(name, tuple(scopes or usual), now=shop.clock())
