"""What is tidied up every night: a registry of small jobs, each told how old is too old."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from churnguard.jobs.erase import finish_erasures
from churnguard.jobs.ports import Shop
from churnguard.project.layout import Layout

DELIVERED = timedelta(days=30)
"""How long messages that were sent, or failed for good, can be listed and replayed."""
WORK = timedelta(days=90)
"""How long finished jobs are remembered."""
CHANGES = timedelta(days=730)
"""How long moves of scores, and standings whose outcome is known, are kept."""
BATCHES = timedelta(days=35)
"""How long every night's batch of scores is kept; of older ones, one a month."""
UNFINISHED = timedelta(days=2)
"""After so long a night that nobody went on with is given up, and its files removed."""


def _outbox(shop: Shop, now: datetime) -> Mapping[str, Any]:
    return {"messages": shop.outbox.prune(now - DELIVERED)}


def _jobs(shop: Shop, now: datetime) -> Mapping[str, Any]:
    return {"jobs": shop.work.prune(now - WORK)}


def _score_changes(shop: Shop, now: datetime) -> Mapping[str, Any]:
    return {"rows": shop.watch.prune(now - CHANGES)}


def _scores(shop: Shop, now: datetime) -> Mapping[str, Any]:
    return {"batches": shop.scores.prune(now - BATCHES)}


def _nights(shop: Shop, now: datetime) -> Mapping[str, Any]:
    old = [
        folder
        for folder in Layout(shop.root).nights.glob("*")
        if folder.stat().st_mtime < (now - UNFINISHED).timestamp()
    ]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    return {"folders": len(old)}


def _erasures(shop: Shop, now: datetime) -> Mapping[str, Any]:
    del now
    return {"finished": finish_erasures(shop)}


HOUSEKEEPING: dict[str, Callable[[Shop, datetime], Mapping[str, Any]]] = {
    "outbox": _outbox,
    "jobs": _jobs,
    "score_changes": _score_changes,
    "scores": _scores,
    "nights": _nights,
    "erasures": _erasures,
}
"""Every such job by name; another is added by an entry of its own."""


def tidy(shop: Shop, now: datetime) -> Mapping[str, Any]:
    """Run all of them; return what each removed.

    Examples
    --------
    >>> from churnguard.testing import NOON, fake_shop
    >>> tidy(fake_shop(), NOON)["outbox"]
    {'messages': 0}
    """
    return {name: dict(job(shop, now)) for name, job in HOUSEKEEPING.items()}
