"""The risk watch: compares each new score with what was last said of the customer.

A move that matters is written into the ledger of score changes; one that raises the customer into
a higher band is told by ``risk.raised``, in the same transaction. Small moves leave the standing
where it is, so that they add up until they matter. A standing whose outcome is known (the customer
ordered, or the horizon passed without) is frozen: it stays what was said before the outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churnguard.clock import end_of_local_day, to_us
from churnguard.errors import StoreError
from churnguard.events.schema import empty_events
from churnguard.events.timeline import Timeline
from churnguard.jobs.champion import LoadedChampion, load_champion
from churnguard.jobs.ports import Move, Position, ScoreChange, Shop, Standing
from churnguard.jobs.risk_moves import Look
from churnguard.jobs.score_changes import split_moves
from churnguard.jobs.score_customer import score_customers
from churnguard.labels import label_named
from churnguard.scoring.score import Score

MOST_CUSTOMERS = 500
_MOST_EVENTS = 20_000

_KNOWN_AT_THE_END = ("subscription",)  # of other labels an event tells at once that one stays

EventsOf = Callable[[Sequence[str]], pa.Table]


@dataclass(frozen=True)
class Looked:
    """What one look did.

    Attributes
    ----------
    customers, moves, raised : int
        Scored; whose standing moved; of whom ``risk.raised`` was told.
    more : bool
        There are further events to be looked at.
    """

    customers: int = 0
    moves: int = 0
    raised: int = 0
    more: bool = False


def look_at_events(shop: Shop, champion: LoadedChampion | None) -> Looked:
    """Score those whom new events touched, and follow the log.

    Parameters
    ----------
    shop : Shop
        An opened project.
    champion : LoadedChampion or None
        Who speaks; without one nothing is looked at, and nothing is passed over.

    Returns
    -------
    Looked
        The first look of all only marks the end of the log: what is there already is the night's.
    """
    if champion is None:
        return Looked()
    position, newest = shop.watch.position(), shop.watch.newest()
    if position is None or position.seq > newest.seq:
        shop.watch.save([], seen=(position, newest))
        return Looked()
    if position == newest:
        return Looked()
    touched, last = shop.watch.touched(position.seq, events=_MOST_EVENTS)
    now = shop.clock()
    found = Looked(more=last < newest.seq)
    for start in range(0, len(touched), MOST_CUSTOMERS):
        some = touched[start : start + MOST_CUSTOMERS]
        scores = score_customers(shop, champion, some, as_of=None)
        found = _add(found, watch_scores(shop, champion, scores, shop.events.events_of, now=now))
    shop.watch.save([], seen=(position, Position(last, newest.epoch)))
    return found


def watch_scores(
    shop: Shop,
    champion: LoadedChampion,
    scores: Sequence[Score],
    events_of: EventsOf,
    *,
    now: datetime,
) -> Looked:
    """Compare new scores with the customers' standings, and keep what moved.

    Parameters
    ----------
    shop : Shop
        An opened project.
    champion : LoadedChampion
        Who gave the scores.
    scores : sequence of Score
        Of different customers.
    events_of : callable
        From customers to all their events.
    now : datetime
        When outcomes become known.
    """
    standings = shop.watch.standings([score.customer_id for score in scores])
    events = events_of(list(standings)) if standings else empty_events()
    outcomes = _outcomes(shop, champion, list(standings.values()), events, now=now)
    looks = [
        Look(
            before=standings.get(score.customer_id),
            score=score,
            bands=shop.settings.bands,
            outcome=outcomes.get(score.customer_id),
            now=now,
        )
        for score in scores
    ]
    changes = _split(shop, champion, looks, events)
    moves = [look.move(changes.get(look.score.customer_id)) for look in looks if look.moves]
    decided = [look.score for look in looks if look.suggests]
    if decided:
        shop.scores.save_decisions(decided)
    made = _save(shop, moves) if moves else 0
    raised = sum(one.type == "risk.raised" for move in moves for one in move.messages)
    return Looked(len(scores), max(made, 0), raised)


def _save(shop: Shop, moves: Sequence[Move]) -> int:
    """Store moves; who was erased while they were being made is not followed after all."""
    made = shop.watch.save(moves)
    gone = sorted(shop.privacy.erased([move.customer_id for move in moves]))
    if gone:
        left = shop.watch.standings(gone)
        shop.watch.save([Move(name, standing, None) for name, standing in left.items()])
    return made


def _outcomes(
    shop: Shop,
    champion: LoadedChampion,
    standings: Sequence[Standing],
    events: pa.Table,
    *,
    now: datetime,
) -> dict[str, str]:
    """Return ``stayed`` or ``churned`` of those standings whose outcome is known."""
    if not standings:
        return {}
    label = label_named(champion.bundle.facts.label)
    timeline = Timeline.from_arrow(_known(events, now))
    codes = {str(name): code for code, name in enumerate(timeline.customer_ids)}
    found = [one for one in standings if one.customer_id in codes]
    customers = np.array([codes[one.customer_id] for one in found], np.int32)
    cutoffs = np.array([to_us(one.as_of) for one in found], np.int64)
    at_once = label.name not in _KNOWN_AT_THE_END
    through = shop.events.data_through(now)
    end = end_of_local_day(through, shop.settings.timezone) if through else now
    outcomes = {}
    for days in {_horizon(one) for one in found}:
        gone = label.churned(timeline, customers, cutoffs, days)
        for one, churned in zip(found, gone.tolist(), strict=True):
            mature = one.as_of + timedelta(days=days) <= end
            if _horizon(one) == days and (mature or (at_once and not churned)):
                outcomes[one.customer_id] = "churned" if churned else "stayed"
    return outcomes


def _known(events: pa.Table, now: datetime) -> pa.Table:
    instant = pa.scalar(now, pa.timestamp("us", tz="UTC"))
    known = pc.and_(
        pc.less(events["occurred_at"], instant), pc.less(events["received_at"], instant)
    )
    return events.filter(known)


def _horizon(one: Standing) -> int:
    return int(one.document["horizon_days"])


def _split(
    shop: Shop, champion: LoadedChampion, looks: Sequence[Look], events: pa.Table
) -> Mapping[str, ScoreChange]:
    pairs = [
        (look.before, look.after)
        for look in looks
        if look.moves and look.before is not None and look.after is not None
    ]
    if not pairs:
        return {}
    changes = split_moves(pairs, events, model=champion, model_of=_models(shop))
    return {change.customer_id: change for change in changes}


def _models(shop: Shop) -> Callable[[str], LoadedChampion | None]:
    """Return how earlier champions are found: in the ledger, proven, each loaded once."""

    @lru_cache(maxsize=2)
    def model_of(digest: str) -> LoadedChampion | None:
        entries = (entry for entry in shop.ledger.history() if entry.bundle == digest)
        entry = next(entries, None)
        try:
            return None if entry is None else load_champion(shop, entry)
        except StoreError:
            return None

    return model_of


def _add(one: Looked, other: Looked) -> Looked:
    sums: dict[str, Any] = {
        name: getattr(one, name) + getattr(other, name) for name in ("customers", "moves", "raised")
    }
    return Looked(**sums, more=one.more)
