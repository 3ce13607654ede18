"""``GET /v1/model``."""

from __future__ import annotations

from fastapi import APIRouter

from churnguard.jobs.model_card import model_card
from churnguard.serving.answers import Json
from churnguard.serving.auth import Reader
from churnguard.serving.model.schemas import ModelAnswer
from churnguard.serving.problems import problem_responses

router = APIRouter(tags=["model"])


@router.get(
    "/v1/model",
    response_model=ModelAnswer,
    responses=problem_responses(401, 403, 503),
    summary="The model that answers",
)
def get_model(caller: Reader) -> Json:
    """Tell its version, since when it is champion, approved by whom, and its metrics."""
    champion = caller.door.champion
    card = model_card(caller.door.shop, champion.current())
    return Json(card.to_dict() | {"refused": champion.error})
