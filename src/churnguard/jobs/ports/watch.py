"""The port for the risk watch: whom events touched, where customers stand, and what moved them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from churnguard.store.service_records import Move, Position, ScoreChange, Standing


class WatchStore(Protocol):
    """How far the watch has followed the log, standings, and the ledger of score changes."""

    def position(self) -> Position | None:
        """Return how far the watch has got; None before its first look."""

    def newest(self) -> Position:
        """Return the end of the log."""

    def touched(self, after: int, *, events: int) -> tuple[list[str], int]:
        """Return whom the next so many events of the log are about, and the last one's number."""

    def standings(self, customer_ids: Sequence[str]) -> Mapping[str, Standing]:
        """Return the live standing of those customers who have one."""

    def save(
        self, moves: Sequence[Move], *, seen: tuple[Position | None, Position] | None = None
    ) -> int:
        """Store moves, with their messages, in one transaction; return how many were made.

        A move of a customer who stands elsewhere by now is left out, and so are its messages.
        ``seen`` moves the watch from one position to another; nothing at all is stored, and -1
        returned, if it is elsewhere by now.
        """

    def changes(
        self, customer_id: str, *, limit: int = 50, before: int | None = None
    ) -> list[tuple[int, ScoreChange]]:
        """Return a customer's moves with their numbers, newest first."""

    def frozen(self, customer_id: str, *, limit: int = 50) -> list[Standing]:
        """Return a customer's standings whose outcome is known, newest first."""

    def restricted(self, customer_ids: Sequence[str]) -> frozenset[str]:
        """Return those who object to profiling, or whose data may not be used."""

    def prune(self, before: datetime) -> int:
        """Forget moves and frozen standings from before an instant; return how many."""
