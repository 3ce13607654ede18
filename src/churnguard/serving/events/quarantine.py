"""``/v1/quarantine``: messages that could not be accepted, to be seen, mended and read again.

Their fields are what customers did, so whoever may send events may see them, nobody else.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from churnguard.jobs.dead_letters import mend_row, quarantine_page
from churnguard.jobs.merge_customers import merge_customers
from churnguard.serving.answers import Json
from churnguard.serving.auth import Sender
from churnguard.serving.events.schemas import (
    LinksAnswer,
    LinksRequest,
    MendRequest,
    QuarantineAnswer,
    ReplayAnswer,
)
from churnguard.serving.pages import PageSize
from churnguard.serving.problems import problem_responses
from churnguard.serving.routes import SoundJsonRoute
from churnguard.serving.storable import STORABLE

router = APIRouter(tags=["events"], route_class=SoundJsonRoute)


@router.get(
    "/v1/quarantine",
    response_model=QuarantineAnswer,
    responses=problem_responses(400, 401, 403, 422),
    summary="Messages that could not be accepted",
)
def get_quarantine(
    caller: Sender,
    *,
    reason: Annotated[
        str | None, Query(max_length=64, pattern=STORABLE, examples=["missing_customer"])
    ] = None,
    page_size: PageSize = 0,
    page_token: Annotated[
        str, Query(description="next_page_token of the page before; reason must stay equal.")
    ] = "",
) -> Json:
    """List what is in quarantine, oldest first, with counts by reason of all of it."""
    page = quarantine_page(
        caller.door.shop, reason=reason, page_size=page_size, page_token=page_token
    )
    return Json({"counts": page.counts, "rows": page.rows, "next_page_token": page.next_page_token})


@router.post(
    "/v1/quarantine/{row_id}/replay",
    response_model=ReplayAnswer,
    responses=problem_responses(401, 403, 404, 413, 422, 503),
    summary="Read a mended message again",
)
def post_replay(
    caller: Sender,
    row_id: Annotated[
        str, Path(max_length=64, pattern=STORABLE, examples=["144103477f048c01ff4b7c7d"])
    ],
    body: MendRequest,
) -> Json:
    """Read one row again with the fields in `payload` put in place of its own.

    Once it is accepted, or known already, it leaves the quarantine. It counts as received now.
    """
    return Json(mend_row(caller.door.shop, row_id, body.payload))


@router.post(
    "/v1/identities",
    response_model=LinksAnswer,
    responses=problem_responses(400, 401, 403, 413, 422, 503),
    summary="Merge ids that are one customer",
)
def post_identities(caller: Sender, body: LinksRequest) -> Json:
    """Move everything under each `alias_id` to its customer, for good.

    What comes under the alias later goes to the customer too. An id that belongs to somebody else
    already stays there and is told as a conflict.
    """
    links = [(link.alias_id, link.customer_id) for link in body.links]
    told = merge_customers(caller.door.shop, links, actor=f"key:{caller.key.key_id}")
    return Json({"links": told})
