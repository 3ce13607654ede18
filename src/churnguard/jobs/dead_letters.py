"""The quarantine as requests see it: page by page, and mended row by row."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from churnguard.errors import InvalidRequest, RowNotFound, SchemaError
from churnguard.events.validation import REASONS
from churnguard.jobs.pages import NotHandedOut, page_size_of
from churnguard.jobs.ports import QuarantinedRow, Shop
from churnguard.jobs.quarantine import readable, replay

_RESTART = "Ask for the first page again, without page_token."


@dataclass(frozen=True)
class QuarantinePage:
    """One page of the quarantine, oldest first.

    Attributes
    ----------
    rows : list of dict
        As :func:`churnguard.jobs.quarantine.readable` gives them.
    counts : mapping of str to int
        All rows in quarantine, by reason.
    next_page_token : str
        Empty on the last page.
    """

    rows: list[dict[str, Any]]
    counts: Mapping[str, int]
    next_page_token: str


def quarantine_page(
    shop: Shop, *, reason: str | None = None, page_size: int = 0, page_token: str = ""
) -> QuarantinePage:
    """Return one page of what is in quarantine.

    Parameters
    ----------
    shop : Shop
        Whose.
    reason : str, optional
        Only rows with this reason.
    page_size : int
        0 is the usual size; more than the largest is the largest.
    page_token : str
        ``next_page_token`` of the page before. Rows that leave in between move no other row.

    Raises
    ------
    InvalidRequest
        If the size is negative, or the token is none that was handed out for this reason.

    Examples
    --------
    >>> from churnguard.testing import fake_shop
    >>> quarantine_page(fake_shop()).next_page_token
    ''
    """
    size = page_size_of(page_size)
    after = _read_token(page_token, reason) if page_token else 0
    found = shop.events.quarantined(reason=reason, limit=size + 1, after=after)
    token = _write_token(found[size - 1], reason) if len(found) > size else ""
    rows = [readable(row) for row in found[:size]]
    return QuarantinePage(rows, dict(shop.events.quarantine_counts()), token)


def mend_row(shop: Shop, row_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Read one row again, with what was mended in it.

    Parameters
    ----------
    shop : Shop
        Whose quarantine.
    row_id : str
        The row.
    payload : mapping
        Fields that are different now.

    Returns
    -------
    dict
        ``row_id`` and ``status``: ``accepted`` or ``duplicate``, and the row has left; ``conflict``
        or ``quarantined`` with ``reason`` and ``detail``, and it is there still.

    Raises
    ------
    RowNotFound
        If there is no such row.
    """
    if not shop.events.quarantined(row_ids=[row_id]):
        raise RowNotFound(
            "There is no such row in quarantine.", hint="It may have been mended before."
        )
    try:
        report = replay(shop, edits={row_id: payload})
    except SchemaError as error:  # a column that every row needs is not there at all
        return _answer(row_id, "quarantined", "missing_column", error.message)
    if report.quarantined:
        ((reason, _),) = report.reasons.items()
        return _answer(row_id, "quarantined", reason, REASONS.get(reason, ""))
    if report.conflicts:
        detail = "The id is known with another content."
        return _answer(row_id, "conflict", "other_payload", detail)
    return _answer(row_id, "accepted" if report.accepted else "duplicate")


def _answer(
    row_id: str, status: str, reason: str | None = None, detail: str = ""
) -> dict[str, Any]:
    return {"row_id": row_id, "status": status, "reason": reason, "detail": detail or None}


def _write_token(last: QuarantinedRow, reason: str | None) -> str:
    text = orjson.dumps([last.place, reason])
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _read_token(token: str, reason: str | None) -> int:
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        place, asked = orjson.loads(base64.urlsafe_b64decode(padded))
    except (ValueError, TypeError, binascii.Error):
        raise NotHandedOut from None
    if asked != reason or type(place) is not int:
        raise InvalidRequest("page_token belongs to another reason.", hint=_RESTART)
    return place
