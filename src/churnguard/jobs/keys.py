"""Make, rotate and revoke API keys; each act is audited in the transaction that does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from churnguard.errors import InvalidRequest, KeyNotFound
from churnguard.jobs.audit import record
from churnguard.jobs.ports import ApiKey, Shop

SCOPES: Mapping[str, str] = {
    "events:write": "send events",
    "scores:read": "read scores with their reasons, the at-risk list, reports and the model card",
    "customers:read": "read one customer's profile and timeline",
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


def create_key(
    shop: Shop,
    name: str,
    scopes: Sequence[str] | None,
    *,
    actor: str = "service",
    days: int | None = None,
) -> tuple[ApiKey, str]:
    """Make a key.

    Parameters
    ----------
    shop : Shop
        Whose key it is.
    name : str
        Who or what will use it.
    scopes : sequence of str or None
        What it may do; None is all but the sensitive ones.
    actor : str
        Who makes it, for the audit log.
    days : int, optional
        After how many days it ends; never if left out.

    Returns
    -------
    (ApiKey, str)
        The key, and its full text, to be shown once.

    Raises
    ------
    InvalidRequest
        If a scope does not exist, or the name is empty.

    Examples
    --------
    >>> from churnguard.testing import fake_shop
    >>> key, text = create_key(fake_shop(), "crm", ["scores:read"])
    >>> key.scopes, text.startswith(f"cg_live_{key.key_id}_")
    (('scores:read',), True)
    """
    if not name.strip():
        raise InvalidRequest("The key has no name.", hint="Say who or what will use it.")
    unknown = sorted(set(scopes or ()) - set(SCOPES))
    if unknown:
        raise InvalidRequest(
            f"There is no scope '{unknown[0]}'.", hint=f"The scopes are {', '.join(SCOPES)}."
        )
    allowed = tuple(scopes or (scope for scope in SCOPES if scope not in SENSITIVE))
    now = shop.clock()
    end = None if days is None else now + timedelta(days=days)
    with shop.audit.together():
        key, text = shop.keys.create(name, allowed, now=now, expires_at=end)
        record(shop, actor, "key.created", key_id=key.key_id, scopes=" ".join(allowed))
    return key, text


def rotate_key(
    shop: Shop, key_id: str, *, overlap: timedelta, actor: str = "service"
) -> tuple[ApiKey, str]:
    """Make a key's successor, with its name and scopes; both are good until the overlap ends.

    Parameters
    ----------
    shop : Shop
        Whose key it is.
    key_id : str
        The key to be replaced.
    overlap : timedelta
        How long the old key stays good.
    actor : str
        Who rotates it, for the audit log.

    Returns
    -------
    (ApiKey, str)
        The successor, which lives as long as the old key was meant to, and its full text.

    Raises
    ------
    KeyNotFound
        If there is no such key, or it is revoked or has ended.
    """
    old, now = _live_key(shop, key_id), shop.clock()
    end = None if old.expires_at is None else now + (old.expires_at - old.created_at)
    with shop.audit.together():
        key, text = shop.keys.create(old.name, old.scopes, now=now, expires_at=end, replaces=key_id)
        shop.keys.expire(key_id, at=now + overlap)
        hours = round(overlap.total_seconds() / 3600, 2)
        record(shop, actor, "key.rotated", key_id=key_id, successor=key.key_id, overlap_hours=hours)
    return key, text


def revoke_key(shop: Shop, key_id: str, *, actor: str = "service") -> None:
    """Revoke a key: every process refuses it within two seconds.

    Raises
    ------
    KeyNotFound
        If there is no such key.
    """
    with shop.audit.together():
        if not shop.keys.revoke(key_id, now=shop.clock()):
            raise _no_such_key(key_id)
        record(shop, actor, "key.revoked", key_id=key_id)


def _live_key(shop: Shop, key_id: str) -> ApiKey:
    for key in list(shop.keys.keys()):
        ended = key.expires_at is not None and key.expires_at <= shop.clock()
        if key.key_id == key_id and not key.revoked_at and not ended:
            return key
    raise _no_such_key(key_id)


def _no_such_key(key_id: str) -> KeyNotFound:
    return KeyNotFound(f"There is no live key '{key_id}'.", hint="See 'churnguard keys list'.")
