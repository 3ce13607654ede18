"""The port that tells what has changed in the store since one looked last."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from churnguard.store.records import LogPosition


class Changes(Protocol):
    """What those who keep something in memory follow, so that it is never out of date."""

    def position(self, before: datetime) -> tuple[LogPosition, datetime | None]:
        """Return how far the store is, and the newest event known before an instant.

        One question of constant cost. Whatever was acknowledged before it is in the answer.
        """

    def touched(self, after: int, through: int) -> frozenset[str] | None:
        """Return whose events are numbered above ``after`` up to ``through``; None if too many."""
