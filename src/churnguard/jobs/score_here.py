"""Score everybody in this process: slices of the history, as many at a time as processors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from churnguard.compiled import streamed
from churnguard.events.timeline import Timeline
from churnguard.features.build import FeatureRows
from churnguard.jobs.champion import LoadedChampion
from churnguard.jobs.ports import Progress, Shop
from churnguard.jobs.scoring_context import feature_rows, scoring_context
from churnguard.jobs.shortlist import Shortlist
from churnguard.scoring.abstention import book_reason
from churnguard.scoring.compose import ScoringContext, compose_scores, score_without_number
from churnguard.scoring.score import Score

MOST_EVENTS = 250_000
"""Events whose signals are built at once: a bucket of a large shop's history has millions."""


@dataclass(frozen=True)
class LocalJudge:
    """Scores the customers of a shop's own store; make one with :func:`judge_here`."""

    shop: Shop
    champion: LoadedChampion
    context: ScoringContext
    as_of: datetime
    progress: Progress
    shortlist: Shortlist

    def scores(self) -> list[Score]:
        """Score everybody who has an event or stands in the customer book."""
        scores: list[Score] = []
        parts = (some for events in self.shop.events.partitions() for some in sliced(events))
        for done, (rows, found) in enumerate(streamed(self._score, parts), start=1):
            self.shortlist.add(rows, found)
            scores += found
            self.progress("scoring customers", done, None)
        return scores + self._without_events(scores)

    def explained(self, customers: frozenset[str]) -> list[Score]:
        """Score some customers again, with reasons; no number changes."""
        parts = self.shortlist.parts(customers)
        told = streamed(partial(self._compose, explain=True), parts)
        return [score for found in told for score in found]

    def _score(self, events: pa.Table) -> tuple[FeatureRows, list[Score]]:
        rows = feature_rows(Timeline.from_arrow(events), self.champion, as_of=self.as_of)
        return rows, self._compose(rows)

    def _compose(self, rows: FeatureRows, *, explain: bool = False) -> list[Score]:
        ids = list(rows.customer_ids)
        book = {row["customer_id"]: row for row in self.shop.events.customers(ids).to_pylist()}
        last_actions = self.shop.scores.last_actions(ids)
        return compose_scores(
            self.context, rows, book, last_actions, as_of=self.as_of, explain=explain
        )

    def _without_events(self, scores: list[Score]) -> list[Score]:
        """Abstain, by name, for customers of the book who have no event."""
        seen = {score.customer_id for score in scores}
        return [
            score_without_number(
                self.context,
                row["customer_id"],
                book_reason(row) or self.context.never,
                as_of=self.as_of,
            )
            for row in self.shop.events.customers().to_pylist()
            if row["customer_id"] not in seen
        ]


def judge_here(
    shop: Shop,
    champion: LoadedChampion,
    *,
    as_of: datetime,
    progress: Progress,
    most: int | None = None,
) -> LocalJudge:
    """Prepare to score everybody at an instant.

    Parameters
    ----------
    most : int, optional
        How many will be explained at most, of those who come first in expected gain or in risk.
    """
    context = scoring_context(shop, champion, as_of=as_of)
    return LocalJudge(shop, champion, context, as_of, progress, Shortlist(most))


def sliced(events: pa.Table, most: int = MOST_EVENTS) -> Iterator[pa.Table]:
    """Yield events in slices of about so many, each customer's in one of them.

    Parameters
    ----------
    events : pyarrow.Table
        In ``EVENT_SCHEMA``, each customer's events side by side.
    most : int
        Events, and those that the last customer of a slice has beyond.

    Examples
    --------
    >>> ids = pa.table({"customer_id": ["C1", "C2", "C2", "C2", "C3"]})
    >>> [some["customer_id"].to_pylist() for some in sliced(ids, 2)]
    [['C1', 'C2', 'C2', 'C2'], ['C3']]
    """
    ids = events["customer_id"]
    start = 0
    while start < len(ids):
        end = start + most
        if end < len(ids):
            same = pc.equal(ids.slice(end), ids[end - 1])
            others = pc.index(same, value=False).as_py()
            end = len(ids) if others < 0 else end + others
        yield events.slice(start, end - start)
        start = end
