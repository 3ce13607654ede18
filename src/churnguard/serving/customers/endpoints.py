"""``GET /v1/customers/{id}`` and its timeline, paged by AIP-158."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from churnguard.clock import iso
from churnguard.jobs.customer_record import customer_profile, customer_timeline
from churnguard.serving.answers import Json
from churnguard.serving.auth import Caller, requires
from churnguard.serving.customers.schemas import ProfileAnswer, TimelineAnswer
from churnguard.serving.pages import PageSize, PageToken
from churnguard.serving.problems import problem_responses
from churnguard.serving.routes import SoundJsonRoute
from churnguard.serving.scores.schemas import CustomerId

router = APIRouter(tags=["customers"], route_class=SoundJsonRoute)

_Reader = Annotated[Caller, Depends(requires("customers:read"))]
_Id = Annotated[CustomerId, Path(description="The shop's own id.", examples=["C123"])]


@router.get(
    # ":path" lets an id hold a slash.
    "/v1/customers/{customer_id:path}/timeline",
    response_model=TimelineAnswer,
    responses=problem_responses(400, 401, 403, 404, 422),
    summary="A customer's events",
)
def get_timeline(
    caller: _Reader,
    customer_id: _Id,
    *,
    page_size: PageSize = 0,
    page_token: PageToken = "",
) -> Json:
    """List all events of the log, the newest first, as they were taken in."""
    page = customer_timeline(
        caller.door.shop, customer_id, page_size=page_size, page_token=page_token
    )
    return Json(
        {
            "customer_id": page.customer_id,
            "events": [_told(event) for event in page.events],
            "next_page_token": page.next_page_token,
        }
    )


@router.get(
    "/v1/customers/{customer_id:path}",
    response_model=ProfileAnswer,
    responses=problem_responses(400, 401, 403, 404, 422),
    summary="Who a customer is to the shop",
)
def get_profile(caller: _Reader, customer_id: _Id) -> Json:
    """Tell what the customer book says, and how much the log holds."""
    found = customer_profile(caller.door.shop, customer_id)
    book = None
    if found.book is not None:
        book = _told({name: v for name, v in found.book.items() if name != "customer_id"})
    spans = {"first_event_at": found.first_event_at, "last_event_at": found.last_event_at}
    return Json(
        {
            "customer_id": found.customer_id,
            "book": book,
            "events": dict(found.events),
            **_told(spans),
        }
    )


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with their instants as text."""
    return {
        name: iso(value) if isinstance(value, datetime) else value for name, value in values.items()
    }
