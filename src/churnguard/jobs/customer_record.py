"""What a shop's own log and book say of one customer: a profile, and events page by page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from churnguard.jobs.known_customer import known_customer
from churnguard.jobs.pages import NotHandedOut, paged
from churnguard.jobs.ports import Shop


@dataclass(frozen=True)
class CustomerProfile:
    """Who a customer is to the shop.

    Attributes
    ----------
    customer_id : str
        Who answers: another than was asked for where that id was merged into a customer.
    book : mapping of str to object, or None
        The row of the customer book; null is unknown.
    events : mapping of str to int
        Events by name.
    first_event_at, last_event_at : datetime or None
        When the oldest and the newest of them occurred.
    """

    customer_id: str
    book: Mapping[str, Any] | None
    events: Mapping[str, int]
    first_event_at: datetime | None
    last_event_at: datetime | None


@dataclass(frozen=True)
class TimelinePage:
    """Some events of a customer, the newest first; what an event does not have is left out."""

    customer_id: str
    events: tuple[Mapping[str, Any], ...]
    next_page_token: str


def customer_profile(shop: Shop, customer_id: str) -> CustomerProfile:
    """Return what the book says and how much the log holds.

    Raises
    ------
    CustomerNotFound
        If the shop has no such customer.

    Examples
    --------
    >>> from churnguard.testing import build_events, fake_shop
    >>> shop = fake_shop(events=build_events([{"customer_id": "C1"}, {"customer_id": "C1"}]))
    >>> dict(customer_profile(shop, "C1").events)
    {'order_completed': 2}
    """
    customer_id = known_customer(shop, customer_id)
    found = _events_of(shop, customer_id)
    counts = Counter(event["event"] for event in found)
    return CustomerProfile(
        customer_id=customer_id,
        book=shop.events.book_row(customer_id),
        events=dict(sorted(counts.items())),
        first_event_at=found[0]["occurred_at"] if found else None,
        last_event_at=found[-1]["occurred_at"] if found else None,
    )


def customer_timeline(
    shop: Shop, customer_id: str, *, page_size: int = 0, page_token: str = ""
) -> TimelinePage:
    """Return one page of a customer's events, the newest first.

    A token counts from the oldest event, so that what comes in between two pages moves nothing.

    Raises
    ------
    CustomerNotFound
        If the shop has no such customer.
    InvalidRequest
        If the page size is negative or the token is not one that was handed out.
    """
    size, upto = paged(page_size, page_token)
    customer_id = known_customer(shop, customer_id)
    found = _events_of(shop, customer_id)
    if upto is not None and not 0 < upto <= len(found):
        raise NotHandedOut
    end = len(found) if upto is None else upto
    begin = max(0, end - size)
    page = (_told(event) for event in reversed(found[begin:end]))
    return TimelinePage(customer_id, tuple(page), str(begin) if begin else "")


def _events_of(shop: Shop, customer_id: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = shop.events.events_of([customer_id]).to_pylist()
    return sorted(rows, key=lambda row: (row["occurred_at"], row["event_id"]))


def _told(event: dict[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in event.items() if value is not None}
    del told["customer_id"]
    if "properties" in told:
        told["properties"] = orjson.loads(told["properties"])
    return told
