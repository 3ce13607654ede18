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

    def touched(self, last: LogPosition, now: LogPosition) -> frozenset[str] | None:
        """Return whom new events and merges between two positions are about.

        None where that cannot be told: there were too many, or the log was rewritten for another
        reason than a merge, or again since.
        """
