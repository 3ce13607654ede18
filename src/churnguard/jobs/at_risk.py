"""The day's at-risk list, page by page.

A page token is opaque and URL-safe. It binds the filters and the batch it was made for, so that
pages never mix two lists; it carries no right to see anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from churnguard.errors import InvalidRequest
from churnguard.jobs.pages import NotHandedOut, page_size_of
from churnguard.jobs.ports import AtRiskQuery, ScoreRun, Shop
from churnguard.scoring.score import Score

_RESTART = "Ask for the first page again, without page_token."


@dataclass(frozen=True)
class AtRiskPage:
    """One page of the at-risk list.

    Attributes
    ----------
    scores : tuple of Score
        Sorted as asked; ties by customer id.
    total : int
        How many match on all pages together.
    next_page_token : str
        Empty on the last page.
    run : ScoreRun or None
        The batch that the list comes from; None when there is none yet.
    """

    scores: tuple[Score, ...]
    total: int
    next_page_token: str
    run: ScoreRun | None


def at_risk(shop: Shop, query: AtRiskQuery, *, page_token: str = "") -> AtRiskPage:
    """Return one page of the newest batch's list.

    Parameters
    ----------
    shop : Shop
        The shop asked about.
    query : AtRiskQuery
        Filters and order. A ``page_size`` of 0 is the default of 50; more than 1,000 is 1,000.
    page_token : str
        ``next_page_token`` of the page before; empty for the first.

    Raises
    ------
    InvalidRequest
        If the page size is negative, or the token is damaged, belongs to other filters, or to a
        batch that has been replaced since.

    Examples
    --------
    >>> from churnguard.testing import build_score, fake_shop
    >>> shop = fake_shop([build_score("C1"), build_score("C2")])
    >>> first = at_risk(shop, AtRiskQuery(page_size=1))
    >>> second = at_risk(shop, AtRiskQuery(page_size=1), page_token=first.next_page_token)
    >>> [score.customer_id for score in first.scores + second.scores], second.next_page_token
    (['C1', 'C2'], '')
    """
    run = shop.scores.latest_run()
    size = page_size_of(query.page_size)
    filters = _digest(query, run)
    after = _read_token(page_token, filters) if page_token else None
    # One more than asked for tells whether there is another page.
    found, total = shop.scores.at_risk(replace(query, page_size=size + 1, after=after))
    token = _write_token(found[size - 1], query.sort, filters) if len(found) > size else ""
    return AtRiskPage(tuple(found[:size]), total, token, run)


def _digest(query: AtRiskQuery, run: ScoreRun | None) -> str:
    """Return what a token is bound to: the filters, and the batch they were applied to."""
    bound: dict[str, Any] = asdict(replace(query, page_size=0, after=None))
    bound["run"] = run.run_id if run else None
    return hashlib.blake2b(json.dumps(bound, sort_keys=True).encode(), digest_size=9).hexdigest()


def _write_token(last: Score, sort: str, filters: str) -> str:
    key = last.churn_risk if sort == "risk" else last.action and last.action.expected_gain
    text = json.dumps([filters, key, last.customer_id], ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token(token: str, filters: str) -> tuple[float, str]:
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        bound, key, customer_id = json.loads(base64.urlsafe_b64decode(padded))
        after = (float(key), str(customer_id))
    except (ValueError, TypeError, RecursionError):
        raise NotHandedOut from None
    if bound != filters:
        raise InvalidRequest(
            "page_token belongs to other filters, or the list has been renewed since.",
            hint=_RESTART,
        )
    return after
