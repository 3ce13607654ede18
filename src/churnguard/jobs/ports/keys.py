"""The port for API keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from churnguard.store.records import ApiKey


class KeyStore(Protocol):
    """API keys ``cg_live_<id>_<secret>``: shown once, stored as SHA-256 of the secret."""

    def create(
        self, name: str, scopes: Sequence[str], *, now: datetime, expires_at: datetime | None = None
    ) -> tuple[ApiKey, str]:
        """Make a key; the second value is the full text, to be shown once."""

    def verify(self, text: str, *, now: datetime) -> ApiKey | None:
        """Return the key if the text is right, live and not expired; compare in constant time."""

    def keys(self) -> list[ApiKey]:
        """Return all keys, newest first."""

    def revoke(self, key_id: str, *, now: datetime) -> bool:
        """Revoke a key; False when there is none."""
