"""``GET /v1/customers/{id}/score`` and ``POST /v1/scores``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.exceptions import RequestValidationError

from churnguard.clock import not_in_future, parse_instant
from churnguard.errors import CustomerNotFound
from churnguard.jobs.sent import SentRefused
from churnguard.serving.answers import Json
from churnguard.serving.auth import Caller, Reader
from churnguard.serving.problems import problem_responses
from churnguard.serving.routes import DirectRoute
from churnguard.serving.scores.schemas import (
    CustomerId,
    ScoreAnswer,
    ScoresAnswer,
    ScoresRequest,
)

Explain = Annotated[bool, Query(description="With the reasons behind the number.")]
router = APIRouter(tags=["scores"], route_class=DirectRoute)


@router.get(
    # ":path" lets an id hold a slash.
    "/v1/customers/{customer_id:path}/score",
    response_model=ScoreAnswer,
    responses=problem_responses(400, 401, 403, 404, 422, 503),
    summary="Score one customer",
)
def get_score(
    caller: Reader,
    customer_id: Annotated[CustomerId, Path(description="The shop's own id.", examples=["C123"])],
    *,
    explain: Explain = False,
    as_of: Annotated[
        str | None,
        Query(
            description="Look back from this instant; now if left out.",
            examples=["2026-11-21", "2026-11-21T08:00:00Z"],
        ),
    ] = None,
) -> Json:
    """Compute the features from the customer's events as they were known at `as_of`, and score.

    A known customer answers 200, also when the data cannot carry a number (`status` says why);
    an unknown one answers 404.
    """
    (score,) = caller.door.score([customer_id], as_of=_instant(caller, as_of), explain=explain)
    if score.status == "unknown":
        raise CustomerNotFound(
            "There is no customer with this id.", hint="Ids are those of your own events."
        )
    return Json(score.to_dict())


@router.post(
    "/v1/scores",
    response_model=ScoresAnswer,
    responses=problem_responses(400, 401, 403, 413, 422, 503),
    summary="Score up to 1,000 customers, by id or by what is sent along",
)
def post_scores(caller: Reader, body: ScoresRequest, *, explain: Explain = False) -> Json:
    """Score each item, in the order asked; an unknown id is a row with status `unknown`.

    With `events`, a customer is scored as if the shop had received them when they occurred, beside
    those that it has; with `features`, from those signals alone. What is sent along is not kept,
    and `source` says what a score is made of. What the shop knows of a person's objection counts
    all the same. `explain` may stand in the body or, as for one customer, in the query.
    """
    caller.spend(len(body.items) - 1)
    items = [item.asked() for item in body.items]
    explain = explain or body.explain
    try:
        scores = caller.door.score(items, as_of=_instant(caller, body.as_of), explain=explain)
    except SentRefused as refused:
        raise _wrong_fields(refused) from None
    return Json({"scores": [score.to_dict() for score in scores]})


def _wrong_fields(refused: SentRefused) -> RequestValidationError:
    """Return the error that names the fields of the body."""
    return RequestValidationError(
        [
            {"type": "value_error", "loc": ("body", "items", *one.place), "msg": one.why}
            for one in refused.refusals
        ]
    )


def _instant(caller: Caller, text: str | None) -> datetime | None:
    """Return the instant asked about."""
    if text is None:
        return None
    shop = caller.door.shop
    return not_in_future(parse_instant(text, shop.settings.timezone), shop.clock)
