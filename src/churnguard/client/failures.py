"""What can go wrong between client and service, as exceptions with the service's own words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from churnguard.client.transport import Reply
from churnguard.errors import ChurnGuardError


class ApiError(ChurnGuardError):
    """The service answered with a problem (RFC 9457), or did not answer.

    Parameters
    ----------
    message : str
        What happened.
    hint : str
        What to do next.
    status : int
        The HTTP status; 0 when nobody answered.
    kind : str
        The problem's name, such as ``customer-not-found``.
    request_id : str or None
        To be named when asking whoever runs the service.
    errors : sequence of mapping
        For wrong fields: ``detail`` and ``pointer`` each.
    retry_after : float or None
        Seconds that the service asks to wait.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int = 0,
        kind: str = "",
        request_id: str | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.kind = kind
        self.request_id = request_id
        self.errors = tuple(errors)
        self.retry_after = retry_after


class WrongRequest(ApiError):
    """The request cannot be answered as it was put (400, 409, 413, 422, ...)."""


class NotAllowed(ApiError):
    """The key is missing, wrong, or lacks the scope (401, 403)."""


class NotFound(ApiError):
    """There is no such customer, action or endpoint (404)."""


class RateLimited(ApiError):
    """The key has spent its quota (429), and went on being told so."""


class Unavailable(ApiError):
    """The service could not be reached, or could not answer (5xx), however often it was asked."""


_KINDS = {401: NotAllowed, 403: NotAllowed, 404: NotFound, 429: RateLimited}


def failure_of(reply: Reply) -> ApiError:
    """Return the exception that an answer of 400 and above stands for.

    Examples
    --------
    >>> body = b'{"type": "/docs#no-model", "title": "T", "status": 503, "detail": "None yet."}'
    >>> error = failure_of(Reply(503, {"retry-after": "2"}, body))
    >>> type(error).__name__, str(error), error.kind, error.retry_after
    ('Unavailable', 'None yet.', 'no-model', 2.0)
    """
    told = _members(reply.body)
    kind = _KINDS.get(reply.status, Unavailable if reply.status >= 500 else WrongRequest)
    return kind(
        str(told.get("detail") or told.get("title") or f"The service answered {reply.status}."),
        hint=str(told.get("hint") or ""),
        status=reply.status,
        kind=str(told.get("type") or "").rpartition("#")[2],
        request_id=told.get("request_id") or reply.headers.get("x-request-id"),
        errors=told.get("errors") or (),
        retry_after=_seconds(reply.headers.get("retry-after")),
    )


def _members(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:  # a proxy's page, or nothing
        return {}
    return told if isinstance(told, dict) else {}


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:  # a date, which ChurnGuard never sends
        return None
