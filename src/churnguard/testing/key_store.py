"""API keys in memory, with the form and the checks of the real ones."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from churnguard.jobs.ports import ApiKey


class FakeKeyStore:
    """Keep hashed API keys in a dictionary.

    Examples
    --------
    >>> from churnguard.testing import NOON
    >>> keys = FakeKeyStore()
    >>> key, text = keys.create("crm", ["scores:read"], now=NOON)
    >>> keys.verify(text, now=NOON) == key, keys.verify(text + "x", now=NOON)
    (True, None)
    """

    def __init__(self) -> None:
        self._keys: dict[str, tuple[ApiKey, bytes]] = {}

    def create(
        self,
        name: str,
        scopes: Sequence[str],
        *,
        now: datetime,
        expires_at: datetime | None = None,
        replaces: str | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key; the second value is the full text, to be shown once."""
        key_id, secret = secrets.token_hex(8), secrets.token_hex(32)
        key = ApiKey(key_id, name, tuple(scopes), now, expires_at, None, None, replaces)
        self._keys[key_id] = (key, _digest(secret))
        return key, f"cg_live_{key_id}_{secret}"

    def verify(self, text: str, *, now: datetime) -> ApiKey | None:
        """Return the key if the text is right, live and not expired."""
        prefix, _, rest = text.partition("cg_live_")
        key_id, _, secret = rest.partition("_")
        if prefix or key_id not in self._keys:
            return None
        key, digest = self._keys[key_id]
        expired = key.expires_at is not None and key.expires_at <= now
        if not hmac.compare_digest(_digest(secret), digest) or key.revoked_at or expired:
            return None
        return key

    def keys(self) -> list[ApiKey]:
        """Return all keys, newest first."""
        return [key for key, _ in reversed(self._keys.values())]

    def revoke(self, key_id: str, *, now: datetime) -> bool:
        """Revoke a key; False when there is none."""
        if key_id not in self._keys:
            return False
        key, digest = self._keys[key_id]
        self._keys[key_id] = (replace(key, revoked_at=key.revoked_at or now), digest)
        return True

    def expire(self, key_id: str, *, at: datetime) -> bool:
        """Let a key end at an instant, if it does not end before; False when there is none."""
        if key_id not in self._keys:
            return False
        key, digest = self._keys[key_id]
        end = min(at, key.expires_at or at)
        self._keys[key_id] = (replace(key, expires_at=end), digest)
        return True

    def mark_used(self, used: Mapping[str, datetime]) -> None:
        """Keep when keys were last used; an older instant changes nothing."""
        for key_id, at in used.items():
            if key_id in self._keys:
                key, digest = self._keys[key_id]
                last = max(at, key.last_used_at or at)
                self._keys[key_id] = (replace(key, last_used_at=last), digest)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
