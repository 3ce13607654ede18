"""Says that two ids are one customer: a guest who signed in, an account that was made twice."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from churnguard.clock import to_us
from churnguard.errors import InvalidRequest
from churnguard.events.validation import judge_ids
from churnguard.jobs.audit import record
from churnguard.jobs.ports import KNOWN, LINKED, EventBatch, Link, Shop

MOVED = ("events", "conflicts", "customer_book", "restrictions", "decisions")
"""Kinds of record that go to the customer; what was computed for the alias is dropped."""
_STATUSES = {LINKED: "linked", KNOWN: "duplicate"}


def merge_customers(
    shop: Shop, links: Sequence[tuple[str, str]], *, actor: str
) -> list[dict[str, str]]:
    """Link ids with the customers they belong to, and move what is stored under them.

    Parameters
    ----------
    shop : Shop
        Whose customers.
    links : sequence of (alias, customer)
        An id, and who turned out to have it.
    actor : str
        Who says so; it is kept with the link, and in the audit log.

    Returns
    -------
    list of dict
        Link by link ``alias_id``, ``customer_id`` and ``status``: ``linked``, ``duplicate`` where
        it was linked so before, or ``conflict`` where the id is somebody else's already
        or an erased person's.

    Raises
    ------
    InvalidRequest
        If an id is none that an event could have, or both are the same; nothing is linked.

    Examples
    --------
    >>> from churnguard.testing import fake_shop
    >>> merge_customers(fake_shop(), [("guest-7", "C1")], actor="cli:dana")[0]["status"]
    'linked'
    """
    _demand_two_ids(links)
    batch = EventBatch(
        links=[Link(alias, customer, actor) for alias, customer in links], at=to_us(shop.clock())
    )
    with shop.audit.together():
        (taken,) = shop.events.take([batch])
        linked = [link for link, how in zip(links, taken.links, strict=True) if how == LINKED]
        if linked:
            whom = linked[0][1] if len(linked) == 1 else None
            record(shop, actor, "customers.merged", subject=whom, links=len(linked))
    return [
        {"alias_id": alias, "customer_id": customer, "status": _STATUSES.get(how, "conflict")}
        for (alias, customer), how in zip(links, taken.links, strict=True)
    ]


def would_move(shop: Shop, alias: str, customer: str) -> dict[str, int]:
    """Count what a merge would move, by kind of record; nothing is changed.

    Raises
    ------
    InvalidRequest
        If an id is none that an event could have, or both are the same.

    Examples
    --------
    >>> from churnguard.testing import build_events, fake_shop
    >>> shop = fake_shop(events=build_events([{"customer_id": "guest-7"}]))
    >>> would_move(shop, "guest-7", "C1")
    {'events': 1}
    """
    _demand_two_ids([(alias, customer)])
    stored = shop.privacy.about(alias)
    return {name: len(stored[name]) for name in MOVED if stored.get(name)}


def _demand_two_ids(links: Sequence[tuple[str, str]]) -> None:
    verdicts = judge_ids(pa.array([name for link in links for name in link], pa.string()))
    if not verdicts.fine.all():
        _, why = verdicts.reasons[1]
        raise InvalidRequest(why, hint="Ids are those of your own events.")
    if any(alias == customer for alias, customer in links):
        raise InvalidRequest("An id is to be linked with itself.", hint="Name two ids.")
