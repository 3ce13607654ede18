"""Says that two ids are one customer: a guest who signed in, an account that was made twice."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from churnguard.clock import to_us
from churnguard.errors import InvalidRequest
from churnguard.events.validation import judge_ids
from churnguard.jobs.ports import KNOWN, LINKED, EventBatch, Link, Shop

_STATUSES = {LINKED: "linked", KNOWN: "duplicate"}


def merge_customers(
    shop: Shop, links: Sequence[tuple[str, str]], *, source: str
) -> list[dict[str, str]]:
    """Link ids with the customers they belong to, and move what is stored under them.

    Parameters
    ----------
    shop : Shop
        Whose customers.
    links : sequence of (alias, customer)
        An id, and who turned out to have it.
    source : str
        Who says so.

    Returns
    -------
    list of dict
        Link by link ``alias_id``, ``customer_id`` and ``status``: ``linked``, ``duplicate`` where
        it was linked so before, or ``conflict`` where the id is somebody else's already.

    Raises
    ------
    InvalidRequest
        If an id is none that an event could have, or both are the same; nothing is linked.

    Examples
    --------
    >>> from churnguard.testing import fake_shop
    >>> merge_customers(fake_shop(), [("guest-7", "C1")], source="cli")[0]["status"]
    'linked'
    """
    verdicts = judge_ids(pa.array([name for link in links for name in link], pa.string()))
    if not verdicts.fine.all():
        _, why = verdicts.reasons[1]
        raise InvalidRequest(why, hint="Ids are those of your own events.")
    if any(alias == customer for alias, customer in links):
        raise InvalidRequest("An id is to be linked with itself.", hint="Name two ids.")
    batch = EventBatch(
        links=[Link(alias, customer, source) for alias, customer in links], at=to_us(shop.clock())
    )
    (taken,) = shop.events.take([batch])
    return [
        {"alias_id": alias, "customer_id": customer, "status": _STATUSES.get(how, "conflict")}
        for (alias, customer), how in zip(links, taken.links, strict=True)
    ]
