"""A last look at who may still be spoken of, right before scores leave: stored, written or sent.

Scoring a shop takes minutes, and an objection or an erasure holds at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from churnguard.jobs.champion import LoadedChampion
from churnguard.jobs.ports import Shop
from churnguard.jobs.scoring_context import scoring_context
from churnguard.scoring.abstention import book_reason
from churnguard.scoring.compose import score_without_number
from churnguard.scoring.score import Score


def last_look(
    shop: Shop, champion: LoadedChampion, scores: Sequence[Score], *, as_of: datetime
) -> list[Score]:
    """Return scores without the erased, and without a number for whoever objects by now."""
    ids = [score.customer_id for score in scores]
    gone, silenced = shop.privacy.erased(ids), shop.watch.restricted(ids)
    living = [score for score in scores if score.customer_id not in gone]
    if not silenced:
        return living
    book = shop.events.customers(sorted(silenced)).to_pylist()
    whys = {row["customer_id"]: book_reason(row) for row in book}
    context = scoring_context(shop, champion, as_of=as_of)
    return [
        score_without_number(
            context, score.customer_id, whys.get(score.customer_id) or "restricted", as_of=as_of
        )
        if score.customer_id in silenced
        else score
        for score in living
    ]
