"""How far stores in memory are, with the promises of the real port."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

from churnguard.jobs.ports import LogPosition
from churnguard.testing.event_store import FakeEventStore
from churnguard.testing.score_store import FakeScoreStore


class FakeChanges:
    """Follow an event store and a score store in memory.

    Parameters
    ----------
    events : FakeEventStore
        Its log, numbered from 1, and its customer book.
    scores : FakeScoreStore
        Its outcomes.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from churnguard.testing import NOON, FakeEventStore, build_events
    >>> changes = FakeChanges(FakeEventStore(build_events()), FakeScoreStore())
    >>> changes.position(NOON)[0]
    LogPosition(epoch='', book=0, merges=0, events=1, outcomes=0)
    >>> now, _ = changes.position(NOON)
    >>> changes.touched(replace(now, events=0), now)
    frozenset({'C1'})
    """

    def __init__(self, events: FakeEventStore, scores: FakeScoreStore) -> None:
        self._events = events
        self._scores = scores

    def position(self, before: datetime) -> tuple[LogPosition, datetime | None]:
        """Return how far the stores are, and the newest event known before an instant."""
        position = LogPosition(
            str(self._events.epoch or ""),
            self._events.book_version,
            self._events.merges,
            len(self._events.log),
            self._scores.outcome_count,
        )
        return position, self._events.data_through(before)

    def touched(self, last: LogPosition, now: LogPosition) -> frozenset[str] | None:
        """Return whom new events are about; what a merge is about is not remembered here."""
        if (last.epoch, last.merges) != (now.epoch, now.merges):
            return None
        rows = islice(self._events.log.values(), last.events, now.events)
        return frozenset(row["customer_id"] for row in rows)
