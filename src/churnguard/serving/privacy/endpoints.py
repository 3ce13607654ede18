"""``/v1/privacy/subjects/{id}``: access, objection, restriction and erasure."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from churnguard.clock import iso
from churnguard.jobs import privacy
from churnguard.jobs.erase import erase
from churnguard.jobs.known_customer import owner_of
from churnguard.jobs.ports import Restriction
from churnguard.serving.answers import Json
from churnguard.serving.auth import Caller, requires
from churnguard.serving.idempotency import MayRepeat
from churnguard.serving.privacy.schemas import (
    ErasureAnswer,
    ObjectionRequest,
    RestrictionAnswer,
    RestrictionRequest,
    SubjectAnswer,
)
from churnguard.serving.problems import problem_responses
from churnguard.serving.routes import SoundJsonRoute
from churnguard.serving.scores.schemas import CustomerId

router = APIRouter(tags=["privacy"], route_class=SoundJsonRoute)

Officer = Annotated[Caller, Depends(requires("privacy:admin"))]
"""A caller who may look after people's rights."""
Subject = Annotated[CustomerId, Path(description="The shop's own id.", examples=["C123"])]
_WRITE = problem_responses(400, 401, 403, 409, 413, 422, 503)


@router.post(
    # ":path" lets an id hold a slash; the longer routes come first.
    "/v1/privacy/subjects/{customer_id:path}/objection",
    response_model=RestrictionAnswer,
    responses=_WRITE,
    summary="Record an objection to profiling, or take it back",
)
def post_objection(
    caller: Officer, once: MayRepeat, customer_id: Subject, body: ObjectionRequest
) -> Response:
    """From this answer on, the person is neither scored nor taught from, listed or told of."""

    def work() -> Response:
        held = privacy.object_to_profiling(
            caller.door.shop, customer_id, objected=body.objected, actor=_actor(caller)
        )
        return _told(caller, customer_id, held)

    return once.answer(caller, work)


@router.post(
    "/v1/privacy/subjects/{customer_id:path}/restriction",
    response_model=RestrictionAnswer,
    responses=_WRITE,
    summary="Keep a person's data without using it, or free it again",
)
def post_restriction(
    caller: Officer, once: MayRepeat, customer_id: Subject, body: RestrictionRequest
) -> Response:
    """Restricted data is stored and shown to the person, and used for nothing else."""

    def work() -> Response:
        held = privacy.restrict(
            caller.door.shop, customer_id, restricted=body.restricted, actor=_actor(caller)
        )
        return _told(caller, customer_id, held)

    return once.answer(caller, work)


@router.get(
    "/v1/privacy/subjects/{customer_id:path}",
    response_model=SubjectAnswer,
    responses=problem_responses(401, 403, 404, 422, 503),
    summary="Everything that is known of a person",
)
def get_subject(caller: Officer, customer_id: Subject) -> Json:
    """Return what the person may ask to see, and to take elsewhere."""
    return Json(privacy.access_report(caller.door.shop, customer_id, actor=_actor(caller)))


@router.delete(
    "/v1/privacy/subjects/{customer_id:path}",
    response_model=ErasureAnswer,
    responses=problem_responses(401, 403, 404, 422, 503),
    summary="Erase a person",
)
def delete_subject(caller: Officer, customer_id: Subject) -> Json:
    """Remove a person from every store and return the signed receipt.

    Asked again, it returns the same receipt. Events that come in later are dropped and counted;
    `subject.erased` tells the webhook endpoints that want to know.
    """
    receipt = erase(caller.door.shop, customer_id, actor=_actor(caller))
    return Json(
        {
            "receipt_id": receipt.receipt_id,
            "state": receipt.state,
            "erased_at": iso(receipt.at),
            "receipt": dict(receipt.body),
            "signature": receipt.signature,
        }
    )


def _told(caller: Caller, customer_id: str, held: Restriction) -> Json:
    owner = owner_of(caller.door.shop, customer_id)
    return Json({"customer_id": owner} | privacy.told(held))


def _actor(caller: Caller) -> str:
    return f"key:{caller.key.key_id}"
