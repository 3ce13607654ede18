"""The messages that webhooks carry: thin, so that who reads the numbers stays the API's affair.

A body is Standard Webhooks' ``type``, ``timestamp`` and ``data``; ``data`` names the customer and
what happened, and the score itself is asked for with a key that may read it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from churnguard.clock import iso
from churnguard.jobs.ports import Message
from churnguard.scoring.score import Score

RISK_RAISED = "risk.raised"
ACTION_SUGGESTED = "action.suggested"
SUBJECT_ERASED = "subject.erased"

MESSAGE_TYPES: Mapping[str, str] = {
    RISK_RAISED: "A customer's risk rose into a higher band.",
    ACTION_SUGGESTED: "Another action than before is worth its cost for a customer.",
    SUBJECT_ERASED: "A person was erased here: erase what you hold of them as well.",
}
"""Every type of message, with what it tells."""

LARGEST_BODY = 20_000
"""Bytes, as Standard Webhooks asks."""


def message(
    kind: str, data: Mapping[str, Any], *, now: datetime, customer_id: str | None = None
) -> Message:
    """Return a message of one's own; its id is drawn.

    Parameters
    ----------
    kind : str
        One of :data:`MESSAGE_TYPES`.
    data : mapping
        JSON-ready.
    now : datetime
        When what it tells of happened.
    customer_id : str, optional
        Whom it is about: not sent once they object to profiling.

    Examples
    --------
    >>> from churnguard.testing import NOON
    >>> message(SUBJECT_ERASED, {"receipt_id": "r1"}, now=NOON).body
    '{"type":"subject.erased","timestamp":"2026-11-21T12:00:00Z","data":{"receipt_id":"r1"}}'
    """
    body = orjson.dumps({"type": kind, "timestamp": iso(now), "data": dict(data)})
    assert len(body) < LARGEST_BODY, "messages are thin"
    return Message(f"msg_{secrets.token_hex(12)}", kind, customer_id, body.decode(), now)


def risk_raised(score: Score, *, before: str) -> Message:
    """Return the message that a customer's risk rose from one band to a higher one."""
    data = {
        "customer_id": score.customer_id,
        "band": score.band,
        "previous_band": before,
        "horizon_days": score.horizon_days,
        "as_of": iso(score.as_of),
    }
    return message(RISK_RAISED, data, now=score.as_of, customer_id=score.customer_id)


def action_suggested(score: Score) -> Message:
    """Return the message that an action is suggested for a customer."""
    assert score.action is not None
    data = {
        "customer_id": score.customer_id,
        "decision_id": score.action.decision_id,
        "action": score.action.code,
        "channel": score.action.channel,
        "as_of": iso(score.as_of),
    }
    return message(ACTION_SUGGESTED, data, now=score.as_of, customer_id=score.customer_id)
