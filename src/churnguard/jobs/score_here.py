"""Score everybody in this process, partition by partition."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from churnguard.events.timeline import Timeline
from churnguard.features.build import FeatureRows
from churnguard.jobs.champion import LoadedChampion
from churnguard.jobs.ports import Progress, Shop
from churnguard.jobs.scoring_context import feature_rows, scoring_context
from churnguard.scoring.abstention import book_reason
from churnguard.scoring.compose import ScoringContext, compose_scores, score_without_number
from churnguard.scoring.score import Score


@dataclass(frozen=True)
class LocalJudge:
    """Scores the customers of a shop's own store; make one with :func:`judge_here`."""

    shop: Shop
    context: ScoringContext
    rows: list[FeatureRows]
    as_of: datetime
    progress: Progress

    def scores(self) -> list[Score]:
        """Score everybody who has an event or stands in the customer book."""
        scores: list[Score] = []
        for done, part in enumerate(self.rows, start=1):
            scores += self._compose(part)
            self.progress("scoring customers", done, len(self.rows))
        return scores + self._without_events(scores)

    def explained(self, customers: frozenset[str]) -> list[Score]:
        """Score some customers again, with reasons; no number changes."""
        told: list[Score] = []
        for part in self.rows:
            places = [i for i, customer in enumerate(part.customer_ids) if customer in customers]
            if places:
                told += self._compose(part.take(np.array(places)), explain=True)
        return told

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
    shop: Shop, champion: LoadedChampion, *, as_of: datetime, progress: Progress
) -> LocalJudge:
    """Build everybody's signals at an instant, to be scored."""
    rows = []
    for done, events in enumerate(shop.events.partitions(), start=1):
        progress("building signals", done, None)
        if events.num_rows:
            rows.append(feature_rows(Timeline.from_arrow(events), champion, as_of=as_of))
    context = scoring_context(shop, champion, as_of=as_of)
    return LocalJudge(shop, context, rows, as_of, progress)
