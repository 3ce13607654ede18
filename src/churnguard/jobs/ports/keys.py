"""The port for API keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from churnguard.store.records import ApiKey


class KeyStore(Protocol):
    """API keys ``cg_live_<id>_<secret>``: shown once, stored as SHA-256 of the secret."""

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

    def verify(self, text: str, *, now: datetime) -> ApiKey | None:
        """Return the key if the text is right, live and not expired; compare in constant time."""

    def keys(self) -> list[ApiKey]:
        """Return all keys, newest first."""

    def revoke(self, key_id: str, *, now: datetime) -> bool:
        """Revoke a key; False when there is none."""

    def expire(self, key_id: str, *, at: datetime) -> bool:
        """Let a key end at an instant, if it does not end before; False when there is none."""

    def mark_used(self, used: Mapping[str, datetime]) -> None:
        """Keep when keys were last used; an older instant changes nothing."""
