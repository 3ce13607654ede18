"""``POST /v1/actions/{id}/outcome``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from churnguard.jobs.record_outcome import record_outcome
from churnguard.serving.actions.schemas import OutcomeAnswer, OutcomeRequest
from churnguard.serving.answers import Json
from churnguard.serving.auth import Actor
from churnguard.serving.idempotency import MayRepeat
from churnguard.serving.problems import problem_responses
from churnguard.serving.routes import SoundJsonRoute
from churnguard.serving.storable import STORABLE

router = APIRouter(tags=["actions"], route_class=SoundJsonRoute)


@router.post(
    "/v1/actions/{decision_id}/outcome",
    response_model=OutcomeAnswer,
    responses=problem_responses(400, 401, 403, 404, 409, 413, 422),
    summary="Report what became of a suggested action",
)
def post_outcome(
    caller: Actor,
    once: MayRepeat,
    decision_id: Annotated[
        str,
        Path(
            description="action.decision_id of a score.",
            max_length=256,
            pattern=STORABLE,
            examples=["5e0c"],
        ),
    ],
    body: OutcomeRequest,
) -> Response:
    """Add an outcome: all are kept and the newest counts. They teach which actions help."""

    def work() -> Response:
        shop, actor = caller.door.shop, f"key:{caller.key.key_id}"
        recorded = record_outcome(shop, decision_id, body.outcome, actor=actor, note=body.note)
        return Json(recorded.to_dict())

    return once.answer(caller, work)
