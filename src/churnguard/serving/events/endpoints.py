"""``POST /v1/events``: 202 once everything of the request is on the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from churnguard.errors import NotWhole
from churnguard.jobs.ports import Taken
from churnguard.jobs.take_events import Offer, offer_events
from churnguard.serving.answers import Json
from churnguard.serving.auth import Caller, ScopeMissing, Sender
from churnguard.serving.events.bodies import read_body
from churnguard.serving.events.schemas import REQUEST, EventsAnswer
from churnguard.serving.idempotency import MayRepeat
from churnguard.serving.problems import problem_responses
from churnguard.serving.routes import SoundJsonRoute

_BACKFILL = "events:backfill"

router = APIRouter(tags=["events"], route_class=SoundJsonRoute)


@router.post(
    "/v1/events",
    status_code=202,
    response_model=EventsAnswer,
    responses=problem_responses(401, 403, 413, 415, 422, 429, 503, 507),
    openapi_extra=REQUEST,
    summary="Send events",
)
async def post_events(
    request: Request,
    caller: Sender,
    once: MayRepeat,
    *,
    backfill: Annotated[
        bool, Query(description="The events are of the past; needs the scope events:backfill.")
    ] = False,
    atomic: Annotated[
        bool, Query(description="Store all of the request, or nothing of it.")
    ] = False,
) -> Response:
    """Take events: native, Segment's calls, or CloudEvents.

    202 means that whatever the answer tells is on the disk. The same event sent again is a
    duplicate, so a request without an answer may simply be sent again. Each message has a result of
    its own; what cannot be accepted is kept in quarantine with its reason.
    """
    if backfill and _BACKFILL not in caller.key.scopes:
        raise ScopeMissing(_BACKFILL)
    body = await request.body()
    # Nothing waits in a thread: a disk that stands still must not hold up those who only read.
    offer = await run_in_threadpool(
        _offer, caller, body, request.headers, backfill=backfill, whole=atomic
    )
    if atomic and not offer.is_sound:
        raise _not_whole(offer)
    if once.key is not None:
        return await run_in_threadpool(
            once.answer, caller, lambda: _store(caller, offer), together=False
        )
    taken = await asyncio.wrap_future(caller.door.writer.submit(offer.batch))
    return _told(offer, taken)


def _store(caller: Caller, offer: Offer) -> Response:
    return _told(offer, caller.door.writer.submit(offer.batch).result())


def _told(offer: Offer, taken: Taken) -> Response:
    if not taken.stored:
        raise _not_whole(offer, taken)
    return Json(offer.receipt(taken).to_dict(), status_code=202)


def _offer(
    caller: Caller, body: bytes, headers: Mapping[str, str], *, backfill: bool, whole: bool
) -> Offer:
    items = read_body(body, headers)
    caller.spend(len(items) - 1)
    return offer_events(caller.door.shop, items, backfill=backfill, whole=whole)


def _not_whole(offer: Offer, taken: Taken | None = None) -> NotWhole:
    """Return why a request that was to be stored whole was not stored."""
    return NotWhole(
        [
            {"detail": result["detail"], "pointer": f"#/{result['index']}"}
            for result in offer.receipt(taken).results
            if "detail" in result
        ]
    )
