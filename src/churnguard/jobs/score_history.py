"""A customer's moves, what each was made of, and the scores that stood when outcomes came."""

from __future__ import annotations

from dataclasses import dataclass

from churnguard.jobs.known_customer import known_customer
from churnguard.jobs.pages import paged
from churnguard.jobs.ports import ScoreChange, Shop, Standing

_MOST_FROZEN = 100


@dataclass(frozen=True)
class ScoreHistory:
    """One page of a customer's history.

    Attributes
    ----------
    customer_id : str
        Who answers: another than was asked for where that id was merged into a customer.
    current : Standing or None
        Where the risk watch last saw the customer.
    changes : tuple of ScoreChange
        Newest first.
    outcomes : tuple of Standing
        What was last said before each outcome, newest first; the first page only.
    next_page_token : str
        Empty on the last page.
    """

    customer_id: str
    current: Standing | None
    changes: tuple[ScoreChange, ...]
    outcomes: tuple[Standing, ...]
    next_page_token: str


def score_history(
    shop: Shop, customer_id: str, *, page_size: int = 0, page_token: str = ""
) -> ScoreHistory:
    """Return one page of a customer's history; nothing is told of those who object to profiling.

    Raises
    ------
    CustomerNotFound
        If the shop has no such customer.
    InvalidRequest
        If the page size is negative or the token is not one that was handed out.
    """
    size, before = paged(page_size, page_token)
    customer_id = known_customer(shop, customer_id)
    if shop.watch.restricted([customer_id]):
        return ScoreHistory(customer_id, None, (), (), "")
    found = shop.watch.changes(customer_id, limit=size + 1, before=before)
    token = str(found[size - 1][0]) if len(found) > size else ""
    outcomes = () if page_token else shop.watch.frozen(customer_id, limit=_MOST_FROZEN)
    return ScoreHistory(
        customer_id=customer_id,
        current=shop.watch.standings([customer_id]).get(customer_id),
        changes=tuple(change for _, change in found[:size]),
        outcomes=tuple(outcomes),
        next_page_token=token,
    )
