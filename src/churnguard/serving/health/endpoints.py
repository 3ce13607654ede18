"""``/livez`` and ``/readyz``, open to all, telling nothing about anybody."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from churnguard.serving.answers import Json
from churnguard.serving.door import Door
from churnguard.serving.health.schemas import AliveAnswer, ReadyAnswer
from churnguard.serving.problems import Problem, answer, problem_responses

router = APIRouter(tags=["health"])


@router.get("/livez", response_model=AliveAnswer, summary="Does the process live?")
async def livez() -> Json:
    """Answer without touching the store: a store that is down is no reason to restart."""
    return Json({"status": "alive"})


@router.get(
    "/readyz",
    response_model=ReadyAnswer,
    responses=problem_responses(503),
    summary="Can it answer?",
)
def readyz(request: Request) -> Response:
    """Answer 200 when the store answers and a model is loaded, else 503 with `missing`."""
    door: Door = request.app.state.door
    missing = [*_store(door), *_model(door)]
    if missing:
        problem = Problem(
            503,
            "not-ready",
            "Not ready",
            "Missing: " + ", ".join(item["what"] for item in missing) + ".",
            extra={"missing": missing},
            headers={"Retry-After": "2"},
        )
        return answer(request, problem)
    model = door.champion.current()
    return Json({"status": "ready", "model_version": model.name.version if model else ""})


def _store(door: Door) -> list[dict[str, str]]:
    try:
        door.shop.ledger.champion()
    except Exception:  # noqa: BLE001 - whatever it is, the store does not answer
        return [{"what": "store", "hint": "Look whether the database runs and can be reached."}]
    return []


def _model(door: Door) -> list[dict[str, str]]:
    if door.champion.current() is not None:
        return []
    if door.champion.error:
        return [{"what": "model", "hint": "The champion's bundle cannot be loaded; see the log."}]
    return [{"what": "model", "hint": "Run 'churnguard train' to make and promote one."}]
