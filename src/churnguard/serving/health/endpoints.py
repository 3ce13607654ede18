"""``/livez`` and ``/readyz``, open to all, telling nothing about anybody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials
from starlette.responses import Response

from churnguard.serving.answers import Json
from churnguard.serving.auth import bearer, requires
from churnguard.serving.door import Door
from churnguard.serving.health.schemas import AliveAnswer, ReadyAnswer
from churnguard.serving.metrics import MEDIA_TYPE as METRICS_TYPE
from churnguard.serving.metrics import Metrics
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
    missing = missing_of(door)
    if missing:
        return answer(request, not_ready(missing))
    model = door.champion.current()
    version = model.name.version if model else ""
    told = {"status": "ready", "model_version": version, "refused": door.champion.error}
    return Json(told)


async def _observer(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> None:
    """Let keys with ``metrics:read`` in; at an open desk anybody."""
    if not request.app.state.metrics_open:
        await requires("metrics:read")(request, credentials)


@router.get(
    "/metrics",
    responses={
        200: {"content": {METRICS_TYPE: {"schema": {"type": "string"}}}, "description": "Metrics."},
        **problem_responses(401, 403),
    },
    response_class=Response,
    dependencies=[Depends(_observer)],
    summary="Metrics for Prometheus",
)
def metrics(request: Request) -> Response:
    """Tell how the service fares, in Prometheus' text format; every name begins `churnguard_`."""
    told: Metrics = request.app.state.metrics
    return Response(told.exposition(), media_type=METRICS_TYPE)


def missing_of(door: Door) -> list[dict[str, str]]:
    """Return what a shop lacks to be served, each with a hint; nothing when it is ready."""
    return [*_store(door), *_model(door)]


def not_ready(missing: Sequence[dict[str, str]]) -> Problem:
    """Return the answer that names what is missing."""
    return Problem(
        503,
        "not-ready",
        "Not ready",
        "Missing: " + ", ".join(item["what"] for item in missing) + ".",
        extra={"missing": list(missing)},
        headers={"Retry-After": "2"},
    )


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
