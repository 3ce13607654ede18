"""Score some customers now, from their own events: what a request asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from churnguard.errors import ModelNotFound
from churnguard.events.timeline import Timeline
from churnguard.features.build import FeatureRows
from churnguard.jobs.champion import (
    NO_CHAMPION_HINT,
    LoadedChampion,
    champion_for,
    entry_for,
    load_champion,
)
from churnguard.jobs.ports import Shop
from churnguard.jobs.scoring_context import ScoringContexts, feature_rows
from churnguard.jobs.sent import RawSent, Sent, read_sent, rounds, sent_rows, with_stored
from churnguard.jobs.timeline_cache import FreshKnown, Known, KnownOf
from churnguard.scoring.abstention import book_reason
from churnguard.scoring.compose import ScoringContext, compose_scores, score_without_number
from churnguard.scoring.score import Score, Source


def score(
    shop: Shop,
    customer_ids: Sequence[str],
    *,
    as_of: datetime | None = None,
    explain: bool = False,
) -> list[Score]:
    """Score customers with the champion that may speak about the instant.

    Parameters
    ----------
    shop : Shop
        From :func:`churnguard.open_shop`.
    customer_ids : sequence of str
        Whom.
    as_of : datetime, optional
        The cutoff; now when not given.
    explain : bool
        Give reasons.

    Returns
    -------
    list of Score
        In the order of the ids; of an id that was merged into a customer, the customer's.

    Raises
    ------
    ModelNotFound
        If there is no champion yet.
    """
    champion = champion_for(shop, as_of)
    return score_customers(shop, champion, customer_ids, as_of=as_of, explain=explain)


def score_customers(
    shop: Shop,
    champion: LoadedChampion | None,
    customer_ids: Sequence[str],
    *,
    as_of: datetime | None = None,
    explain: bool = False,
    known_of: KnownOf | None = None,
) -> list[Score]:
    """Score customers from what was known before an instant.

    Parameters
    ----------
    shop : Shop
        An opened project.
    champion : LoadedChampion or None
        The model that speaks; about an instant that its training already knew the outcome of, an
        older champion does, where there is one.
    customer_ids : sequence of str
        Whom; ids that the shop does not have come back with status ``unknown``.
    as_of : datetime, optional
        The cutoff; now when not given.
    explain : bool
        Give reasons.
    known_of : callable, optional
        How what is known of customers is looked up, such as a
        :class:`~churnguard.jobs.timeline_cache.TimelineCache`; in the store when not given.

    Returns
    -------
    list of Score
        In the order of the ids.

    Raises
    ------
    ModelNotFound
        If there is no champion yet.
    """
    scorer = CustomerScorer(shop, known_of or FreshKnown(shop))
    return scorer.scores(champion, customer_ids, as_of=as_of, explain=explain)


class CustomerScorer:
    """Scores customers of one shop in requests.

    Parameters
    ----------
    shop : Shop
        An opened project.
    known_of : callable
        How what is known of customers is looked up.
    """

    def __init__(self, shop: Shop, known_of: KnownOf) -> None:
        self._shop = shop
        self._known_of = known_of
        self._contexts = ScoringContexts(shop)
        self._earlier: LoadedChampion | None = None

    def scores(
        self,
        champion: LoadedChampion | None,
        customer_ids: Sequence[str],
        *,
        as_of: datetime | None,
        explain: bool,
    ) -> list[Score]:
        """Score customers from the shop's own events; see :func:`score_customers`."""
        champion, cutoff = self._speaker(champion, as_of), as_of or self._shop.clock()
        wanted = list(dict.fromkeys(customer_ids))
        known = self._known_of(wanted, cutoff)
        asked = _Asked(champion, self._context(champion, known, cutoff), known, cutoff, explain)
        by_id = {
            score.customer_id: score
            for timeline in known.timelines
            for score in asked.judge(timeline)
        }
        for customer_id in by_id.keys() ^ set(wanted):
            by_id[customer_id] = asked.without_events(customer_id)
        by_id |= self._of_owners(by_id, champion, as_of=cutoff, explain=explain)
        return [by_id[customer_id] for customer_id in customer_ids]

    def _of_owners(
        self,
        by_id: Mapping[str, Score],
        champion: LoadedChampion,
        *,
        as_of: datetime,
        explain: bool,
    ) -> dict[str, Score]:
        """Return, for ids that nobody has, the scores of the customers they were merged into."""
        nobodys = [name for name, score in by_id.items() if score.status == "unknown"]
        owners = self._shop.events.owners(nobodys) if nobodys else {}
        if not owners:
            return {}
        ids = list(owners.values())
        found = self.scores(champion, ids, as_of=as_of, explain=explain)
        return dict(zip(owners, found, strict=True))

    def __call__(
        self,
        shop: Shop,
        champion: LoadedChampion | None,
        customer_ids: Sequence[str],
        *,
        as_of: datetime | None,
        explain: bool,
    ) -> list[Score]:
        """Score customers as :func:`score_customers` does, for the shop that it was made for."""
        assert shop is self._shop
        return self.scores(champion, customer_ids, as_of=as_of, explain=explain)

    def sent(
        self,
        champion: LoadedChampion | None,
        items: Sequence[RawSent],
        *,
        as_of: datetime | None,
        explain: bool,
    ) -> list[Score]:
        """Score customers from what was sent along, which is not kept.

        Parameters
        ----------
        champion : LoadedChampion or None
            The model that speaks.
        items : sequence of RawSent
            What was sent along; a customer may come several times.
        as_of : datetime or None
            The cutoff; now when None.
        explain : bool
            Give reasons.

        Returns
        -------
        list of Score
            In the order of the items. They name no decision, since nothing is kept.

        Raises
        ------
        SentRefused
            If some of it cannot be used; it says where and why.
        """
        champion, cutoff = self._speaker(champion, as_of), as_of or self._shop.clock()
        owners = self._known_of.owners([item.customer_id for item in items], cutoff)
        sent = read_sent(self._shop, champion.bundle.catalogue, items, owners)
        scores: dict[int, Score] = {}
        for some in rounds(sent):
            ids = [sent[place].customer_id for place in some]
            known = self._known_of(ids, cutoff, events=False)
            asked = _Asked(champion, self._context(champion, known, cutoff), known, cutoff, explain)
            found = asked.judge_sent(self._shop, [sent[place] for place in some])
            scores |= zip(some, found, strict=True)
        return [scores[place] for place in range(len(sent))]

    def _speaker(self, champion: LoadedChampion | None, as_of: datetime | None) -> LoadedChampion:
        """Return the model that may speak about an instant."""
        if champion is None:
            raise ModelNotFound("There is no champion yet.", hint=NO_CHAMPION_HINT)
        if as_of is None or champion.bundle.facts.labels_through <= as_of:
            return champion
        entry = entry_for(self._shop, as_of)
        if entry.sequence == champion.entry.sequence:
            return champion
        if self._earlier is None or self._earlier.entry.sequence != entry.sequence:
            self._earlier = load_champion(self._shop, entry)
        return self._earlier

    def _context(self, champion: LoadedChampion, known: Known, as_of: datetime) -> ScoringContext:
        return self._contexts.at(
            champion, as_of=as_of, data_through=known.data_through, degraded=known.degraded
        )


@dataclass(frozen=True)
class _Asked:
    """What was asked, and what is known for the answer."""

    champion: LoadedChampion
    context: ScoringContext
    known: Known
    as_of: datetime
    explain: bool

    def judge(self, timeline: Timeline) -> list[Score]:
        """Score all customers of a timeline."""
        return self._compose(feature_rows(timeline, self.champion, as_of=self.as_of))

    def without_events(self, customer_id: str) -> Score:
        """Tell that a customer has no event, or is not known at all."""
        row = self.known.book.get(customer_id)
        why = "not_found" if row is None else book_reason(row) or self.context.never
        return score_without_number(self.context, customer_id, why, as_of=self.as_of)

    def judge_sent(self, shop: Shop, items: Sequence[Sent]) -> list[Score]:
        """Score different customers from what was sent along."""
        by_id: dict[str, Score] = {}
        told = [item for item in items if item.events is not None]
        if told:
            timeline = with_stored(shop, told)
            by_id |= {one.customer_id: one for one in self.judge(timeline)}
            for item in told:
                by_id.setdefault(item.customer_id, self.without_events(item.customer_id))
        measured = [item for item in items if item.events is None]
        if measured:
            rows = sent_rows(self.champion.bundle.catalogue, measured, as_of=self.as_of)
            for item, score in zip(measured, self._compose(rows), strict=True):
                degraded = score.degraded or not item.is_complete(self.champion.bundle.catalogue)
                by_id[item.customer_id] = replace(score, degraded=degraded)
        return [_as_sent(by_id[item.customer_id], item.source) for item in items]

    def _compose(self, rows: FeatureRows) -> list[Score]:
        return compose_scores(
            self.context,
            rows,
            self.known.book,
            self.known.last_actions,
            as_of=self.as_of,
            explain=self.explain,
        )


def _as_sent(score: Score, source: Source) -> Score:
    """Return a score that says what it is made of, and names no decision: nothing is kept."""
    action = None if score.action is None else replace(score.action, decision_id=None)
    return replace(score, source=source, action=action)
