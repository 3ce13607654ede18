"""Score some customers now, from their own events: what a request asks for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from churnguard.errors import ModelNotFound
from churnguard.events.timeline import Timeline
from churnguard.jobs.champion import NO_CHAMPION_HINT, LoadedChampion, champion_for
from churnguard.jobs.ports import Shop
from churnguard.jobs.scoring_context import feature_rows, scoring_context
from churnguard.scoring.abstention import book_reason
from churnguard.scoring.compose import compose_scores, score_without_number
from churnguard.scoring.score import Score


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
        In the order of the ids.

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

    Returns
    -------
    list of Score
        In the order of the ids.

    Raises
    ------
    ModelNotFound
        If there is no champion yet.
    """
    if champion is None:
        raise ModelNotFound("There is no champion yet.", hint=NO_CHAMPION_HINT)
    if as_of is not None and champion.bundle.facts.labels_through > as_of:
        champion = champion_for(shop, as_of)
    cutoff = as_of or shop.clock()
    wanted = list(dict.fromkeys(customer_ids))
    book = {row["customer_id"]: row for row in shop.events.customers(wanted).to_pylist()}
    timeline = Timeline.from_arrow(shop.events.events_of(wanted))
    context = scoring_context(shop, champion, as_of=cutoff)
    scores = compose_scores(
        context,
        feature_rows(timeline, champion, as_of=cutoff),
        book,
        shop.scores.last_actions(wanted),
        as_of=cutoff,
        explain=explain,
    )
    by_id = {score.customer_id: score for score in scores}
    for customer_id in by_id.keys() ^ set(wanted):
        row = book.get(customer_id)
        why = "not_found" if row is None else book_reason(row) or context.never
        by_id[customer_id] = score_without_number(context, customer_id, why, as_of=cutoff)
    return [by_id[customer_id] for customer_id in customer_ids]
