"""Builders of test data in which every argument has a default.

A test names only what it is about; the rest is a plain, valid stand-in. All instants hang on
:data:`NOON`, so nothing here knows what day it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from churnguard.events.schema import EVENT_SCHEMA
from churnguard.jobs.ports import ScoreRun
from churnguard.scoring.score import ModelName, Reason, Score, SuggestedAction

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
"""The instant at which the world of the builders stands still."""

MODEL = ModelName(
    version="12", bundle="sha256:" + "0" * 64, calibration="beta-3", population="2026-11-16"
)
"""The model that the builders' scores name."""


def build_events(rows: Iterable[Mapping[str, Any]] = ({},)) -> pa.Table:
    """Return an event table; each row says only what matters about it.

    Parameters
    ----------
    rows : iterable of mapping
        Columns of :data:`~churnguard.events.schema.EVENT_SCHEMA` by name. Left out: the id is
        ``e<number>``, the customer ``C1``, the event an order of 50.00 a day before :data:`NOON`,
        known when it occurred.

    Returns
    -------
    pyarrow.Table
        In the canonical schema, in the order given.

    Examples
    --------
    >>> build_events([{}, {"event": "signed_in", "value": None}])["event"].to_pylist()
    ['order_completed', 'signed_in']
    """
    filled = [_event(number, row) for number, row in enumerate(rows)]
    columns = {
        column.name: pa.array([row.get(column.name) for row in filled], column.type)
        for column in EVENT_SCHEMA
    }
    return pa.table(columns, schema=EVENT_SCHEMA)


def _event(number: int, row: Mapping[str, Any]) -> dict[str, Any]:
    occurred = row.get("occurred_at", NOON - timedelta(days=1))
    return {
        "event_id": f"e{number}",
        "customer_id": "C1",
        "event": "order_completed",
        "occurred_at": occurred,
        "received_at": occurred,
        "clock": "true",
        "value": 50.0,
    } | dict(row)


def build_reason(code: str = "order_gap_ratio", **changes: Any) -> Reason:
    """Return a reason that raises the risk; ``changes`` replace its other values.

    Examples
    --------
    >>> build_reason(effect=-0.2).effect
    -0.2
    """
    reason = Reason(
        code=code,
        family="recency",
        effect=0.88,
        effect_points=0.18,
        value=3.4,
        usual=1.0,
        text={
            "en": "Last ordered 96 days ago; usually every 28",
            "he": "ההזמנה האחרונה לפני 96 ימים; בדרך כלל כל 28",
        },
    )
    return replace(reason, **changes)


def build_action(code: str = "cart_reminder", **changes: Any) -> SuggestedAction:
    """Return a suggested action; ``changes`` replace its other values.

    Examples
    --------
    >>> build_action(group="control").group
    'control'
    """
    action = SuggestedAction(
        code=code,
        channel="email",
        expected_gain=9.4,
        cost=0.4,
        basis="prior",
        group="treat",
        propensity=0.9,
        decision_id=None,
    )
    return replace(action, **changes)


def build_score(customer_id: str = "C1", **changes: Any) -> Score:
    """Return a scored customer; the decision is named after the customer.

    Parameters
    ----------
    customer_id : str
        Whose score it is.
    **changes
        Fields of :class:`~churnguard.scoring.score.Score` that differ from the stand-in.

    Examples
    --------
    >>> build_score("C7", churn_risk=0.5).action.decision_id
    'd-C7'
    >>> build_score(status="abstained", status_reason="no_order_yet").churn_risk is None
    True
    """
    about: dict[str, Any] = {
        "customer_id": customer_id,
        "status": "scored",
        "status_reason": None,
        "horizon_days": 90,
        "as_of": NOON,
        "data_through": NOON - timedelta(seconds=19),
    }
    if changes.get("status", "scored") != "scored":
        return Score(**(about | changes))
    numbers: dict[str, Any] = {
        "churn_risk": 0.71,
        "interval": (0.62, 0.79),
        "band": "high",
        "segment": "loyal",
        "margin": 0.89,
        "base_margin": 0.01,
        "reasons": (build_reason(),),
        "expected_value": 118.0,
        "action": build_action(decision_id=f"d-{customer_id}"),
        "model": MODEL,
    }
    return Score(**(about | numbers | changes))


def build_run(run_id: str = "run-1", **changes: Any) -> ScoreRun:
    """Return a batch of scores' heading.

    Examples
    --------
    >>> build_run(customers=3).customers
    3
    """
    run = ScoreRun(run_id=run_id, as_of=NOON, created_at=NOON, model_version="12", customers=1)
    return replace(run, **changes)
