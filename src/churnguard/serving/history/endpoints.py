"""``GET /v1/customers/{id}/history``, paged by AIP-158."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path

from churnguard.clock import iso
from churnguard.jobs.ports import ScoreChange, Standing
from churnguard.jobs.score_history import score_history
from churnguard.serving.answers import Json
from churnguard.serving.auth import Reader
from churnguard.serving.history.schemas import HistoryAnswer
from churnguard.serving.pages import PageSize, PageToken
from churnguard.serving.problems import problem_responses
from churnguard.serving.routes import SoundJsonRoute
from churnguard.serving.scores.schemas import CustomerId

router = APIRouter(tags=["scores"], route_class=SoundJsonRoute)


@router.get(
    # ":path" lets an id hold a slash.
    "/v1/customers/{customer_id:path}/history",
    response_model=HistoryAnswer,
    responses=problem_responses(400, 401, 403, 404, 422),
    summary="What moved a customer's score",
)
def get_history(
    caller: Reader,
    customer_id: Annotated[CustomerId, Path(description="The shop's own id.", examples=["C123"])],
    *,
    page_size: PageSize = 0,
    page_token: PageToken = "",
) -> Json:
    """List every move of the score, split into behaviour, time passing, late data and the model.

    A move is written down once it matters; smaller ones add up until they do. `outcomes` has what
    was last said before each outcome became known: it never changes any more.
    """
    found = score_history(caller.door.shop, customer_id, page_size=page_size, page_token=page_token)
    return Json(
        {
            "customer_id": found.customer_id,
            "current": _standing(found.current) if found.current else None,
            "changes": [_change(one) for one in found.changes],
            "outcomes": [_outcome(one) for one in found.outcomes],
            "next_page_token": found.next_page_token,
        }
    )


def _said(as_of: datetime, margin: float, told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "as_of": iso(as_of),
        "margin": margin,
        "churn_risk": told.get("risk"),
        "band": told.get("band"),
        "model_version": told.get("model"),
    }


def _standing(one: Standing) -> dict[str, Any]:
    return _said(one.as_of, one.margin, {**one.document, "band": one.band})


def _outcome(one: Standing) -> dict[str, Any]:
    ending = {name: one.document[name] for name in ("outcome", "known_at", "horizon_days")}
    return _standing(one) | ending


def _change(one: ScoreChange) -> dict[str, Any]:
    return {
        "from": _said(one.from_at, one.from_margin, one.document["from"]),
        "to": _said(one.to_at, one.to_margin, one.document["to"]),
        "behaviour": one.behaviour,
        "time_passing": one.time_passing,
        "late_data": one.late_data,
        "model_change": one.model_change,
        "split_by": one.document["by"],
    }
