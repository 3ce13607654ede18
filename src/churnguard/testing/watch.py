"""A store of the risk watch in memory, with the promises of the real one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice

from churnguard.jobs.ports import Move, Position, ScoreChange, Standing
from churnguard.testing.event_store import FakeEventStore
from churnguard.testing.outbox import FakeOutbox


class FakeWatchStore:
    """Keep standings and score changes in lists.

    Parameters
    ----------
    events : FakeEventStore, optional
        Whose log is followed.
    outbox : FakeOutbox, optional
        Where messages go.

    Examples
    --------
    >>> from churnguard.testing import build_events
    >>> FakeWatchStore(FakeEventStore(build_events())).touched(0, events=10)
    (['C1'], 1)
    """

    def __init__(
        self, events: FakeEventStore | None = None, outbox: FakeOutbox | None = None
    ) -> None:
        self._events = events or FakeEventStore()
        self._outbox = outbox or FakeOutbox()
        self._position: Position | None = None
        self._live: dict[str, Standing] = {}
        self._frozen: list[Standing] = []
        self._changes: list[ScoreChange] = []

    def position(self) -> Position | None:
        """Return how far the watch has got."""
        return self._position

    def newest(self) -> Position:
        """Return the end of the log."""
        return Position(len(self._events.log), 0)

    def touched(self, after: int, *, events: int) -> tuple[list[str], int]:
        """Return whom the next so many events of the log are about."""
        rows = list(islice(self._events.log.values(), after, after + events))
        return list(dict.fromkeys(row["customer_id"] for row in rows)), after + len(rows)

    def standings(self, customer_ids: Sequence[str]) -> Mapping[str, Standing]:
        """Return the live standing of those customers who have one."""
        return {one: self._live[one] for one in customer_ids if one in self._live}

    def save(
        self, moves: Sequence[Move], *, seen: tuple[Position | None, Position] | None = None
    ) -> int:
        """Store moves; return how many were made."""
        if seen is not None:
            if self._position != seen[0]:
                return -1
            self._position = seen[1]
        return sum(self._make(move) for move in moves)

    def _make(self, move: Move) -> bool:
        stands = self._live.get(move.customer_id)
        before = move.before
        if (stands and stands.as_of) != (before and before.as_of):
            return False
        self._live.pop(move.customer_id, None)
        if move.after is not None:
            self._live[move.customer_id] = move.after
        if move.frozen is not None:
            self._frozen.append(move.frozen)
        if move.change is not None:
            self._changes.append(move.change)
        self._outbox.put(move.messages)
        return True

    def changes(
        self, customer_id: str, *, limit: int = 50, before: int | None = None
    ) -> list[tuple[int, ScoreChange]]:
        """Return a customer's moves with their numbers, newest first."""
        found = [
            (number, change)
            for number, change in enumerate(self._changes, start=1)
            if change.customer_id == customer_id and (before is None or number < before)
        ]
        return found[::-1][:limit]

    def frozen(self, customer_id: str, *, limit: int = 50) -> list[Standing]:
        """Return a customer's standings whose outcome is known, newest first."""
        found = [one for one in self._frozen if one.customer_id == customer_id]
        return sorted(found, key=lambda one: one.as_of, reverse=True)[:limit]

    def restricted(self, customer_ids: Sequence[str]) -> frozenset[str]:
        """Return those who object to profiling, or whose data may not be used."""
        book = self._events.customers(customer_ids).to_pylist()
        flags = ("opt_out_profiling", "exclude", "restricted")
        silent = [row for row in book if any(row[flag] for flag in flags)]
        return frozenset(row["customer_id"] for row in silent)

    def prune(self, before: datetime) -> int:
        """Forget moves and frozen standings from before an instant."""
        count = len(self._frozen) + len(self._changes)
        self._frozen = [one for one in self._frozen if one.as_of >= before]
        self._changes = [one for one in self._changes if one.to_at >= before]
        return count - len(self._frozen) - len(self._changes)
