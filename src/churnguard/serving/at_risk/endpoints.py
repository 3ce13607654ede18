"""``GET /v1/at-risk``, paged by AIP-158."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from churnguard.clock import iso
from churnguard.jobs.at_risk import at_risk
from churnguard.jobs.ports import AtRiskQuery, ScoreRun
from churnguard.serving.answers import Json
from churnguard.serving.at_risk.bulk import BulkReads
from churnguard.serving.at_risk.schemas import AtRiskAnswer
from churnguard.serving.auth import Reader
from churnguard.serving.pages import PageSize
from churnguard.serving.problems import problem_responses
from churnguard.serving.storable import STORABLE

router = APIRouter(tags=["at-risk list"])
_bulk = BulkReads()


@router.get(
    "/v1/at-risk",
    response_model=AtRiskAnswer,
    responses=problem_responses(400, 401, 403, 422),
    summary="The customers most worth saving",
)
def get_at_risk(
    caller: Reader,
    *,
    band: Annotated[Literal["low", "medium", "high"] | None, Query()] = None,
    min_risk: Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)] = None,
    segment: Annotated[
        str | None, Query(max_length=64, pattern=STORABLE, examples=["loyal"])
    ] = None,
    action: Annotated[
        str | None, Query(max_length=64, pattern=STORABLE, examples=["cart_reminder"])
    ] = None,
    min_value: Annotated[
        float | None, Query(description="Least expected value; money.", allow_inf_nan=False)
    ] = None,
    group: Annotated[
        Literal["treat", "control"] | None,
        Query(description="control is held out: do not contact."),
    ] = None,
    outcome: Annotated[
        Literal["open", "done", "all"],
        Query(description="Whether an outcome has been reported for the suggested action."),
    ] = "open",
    sort: Annotated[Literal["expected_gain", "risk"], Query()] = "expected_gain",
    page_size: PageSize = 0,
    page_token: Annotated[
        str,
        Query(description="next_page_token of the page before; filters must stay equal."),
    ] = "",
) -> Json:
    """List the newest batch's scored customers who pass the filters, most worthwhile first.

    Of a list of more than 1,000 customers, the pages after the first need the scope
    `scores:export`, and are written into the audit log.
    """
    query = AtRiskQuery(
        band=band,
        min_risk=min_risk,
        segment=segment,
        action=action,
        min_value=min_value,
        group=group,
        outcome=outcome,
        sort=sort,
        page_size=page_size,
    )
    page = at_risk(caller.door.shop, query, page_token=page_token)
    if page_token:
        _bulk.check(caller, page)
    return Json(
        {
            "scores": [score.to_dict() for score in page.scores],
            "total_size": page.total,
            "next_page_token": page.next_page_token,
            "run": _run(page.run),
        }
    )


def _run(run: ScoreRun | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return vars(run) | {"as_of": iso(run.as_of), "created_at": iso(run.created_at)}
