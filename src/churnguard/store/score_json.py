"""Scores as JSON text and back, without loss: the same floats, to the last bit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from churnguard.scoring.score import ModelName, Reason, Score, SuggestedAction


def dump_score(score: Score) -> str:
    """Return a score as JSON text."""
    return orjson.dumps(score).decode()


def load_score(text: str) -> Score:
    """Return the score that :func:`dump_score` wrote.

    Examples
    --------
    >>> from datetime import UTC
    >>> score = Score("C1", "unknown", "not_found", 90, datetime(2026, 1, 1, tzinfo=UTC), None)
    >>> load_score(dump_score(score)) == score
    True
    """
    values: dict[str, Any] = orjson.loads(text)
    values["as_of"] = datetime.fromisoformat(values["as_of"])
    values["data_through"] = _given(values["data_through"], datetime.fromisoformat)
    values["interval"] = _given(values["interval"], tuple)
    values["reasons"] = _given(values["reasons"], _reasons)
    values["action"] = _given(values["action"], lambda action: SuggestedAction(**action))
    values["model"] = _given(values["model"], lambda model: ModelName(**model))
    return Score(**values)


def _reasons(reasons: list[Mapping[str, Any]]) -> tuple[Reason, ...]:
    return tuple(Reason(**reason) for reason in reasons)


def _given(value: Any, make: Any) -> Any:
    return None if value is None else make(value)
