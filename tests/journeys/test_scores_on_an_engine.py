"""A night's batch on an engine stores and writes what a batch in this process does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from churnguard.jobs.ports import ScoreRun, Shop
from churnguard.jobs.score import score_everybody
from churnguard.scoring.score import Score
from churnguard.testing import FakeEngine

pytestmark = pytest.mark.timeout(300)


class Recorded:
    """A score store that keeps what it is given, and says that some were contacted lately."""

    def __init__(self, shop: Shop) -> None:
        self.saved: list[Score] = []
        self._now = shop.clock()

    def save_run(self, run: ScoreRun, scores: Sequence[Score]) -> None:
        self.saved = list(scores)

    def last_actions(self, customer_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        lately = self._now - timedelta(days=1)
        return {name: {"cart_reminder": lately} for name in customer_ids if name.endswith("1")}


@pytest.mark.parametrize("days_ago", [0, 30])
def test_every_score_is_the_same_to_the_last_bit(trained, days_ago):
    """Risks, margins, intervals, actions, reasons of the first: equal records."""
    as_of = trained.shop.clock() - timedelta(days=days_ago)
    stores = [Recorded(trained.shop), Recorded(trained.shop)]
    settings = trained.shop.settings.model_copy(update={"reasons_top": 40})
    engines = [None, FakeEngine(trained.shop.events.history(), partitions=5)]
    for store, engine in zip(stores, engines, strict=True):
        shop = replace(trained.shop, scores=store, settings=settings)
        score_everybody(shop, as_of=as_of, engine=engine)
    here, there = (store.saved for store in stores)
    assert here == there
    assert sum(score.reasons is not None for score in here) == 40
    assert {"scored", "abstained"} <= {score.status for score in here}
