"""What is tidied up every night: a registry of small jobs, each told how old is too old.

How many days are kept is the setting ``retention``, by the names of :data:`KEPT_DAYS`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from churnguard.jobs.audit import record
from churnguard.jobs.erase import finish_erasures
from churnguard.jobs.ports import Shop
from churnguard.project.layout import Layout
from churnguard.project.settings import KEPT_DAYS

UNFINISHED = timedelta(days=2)
"""After so long a night that nobody went on with is given up, and its files removed."""
_SOME = 500


def _since(shop: Shop, what: str, now: datetime) -> datetime | None:
    """Return before which instant a kind of record is too old; None where it is kept for ever."""
    days = shop.settings.retention.get(what, KEPT_DAYS[what])
    return None if days is None else now - timedelta(days=days)


def _customers(shop: Shop, now: datetime) -> Mapping[str, Any]:
    """Forget who has not been heard of for so long; unlike the erased, they may come back."""
    before = _since(shop, "customers", now)
    names = shop.privacy.silent_since(before) if before else []
    for at in range(0, len(names), _SOME):
        with shop.audit.together():
            some = names[at : at + _SOME]
            shop.privacy.forget(some)
            record(shop, "service", "retention.applied", customers=len(some))
    if names:
        shop.events.export()
        shop.privacy.scrub()
    return {"customers": len(names)}


def _outbox(shop: Shop, now: datetime) -> Mapping[str, Any]:
    before = _since(shop, "messages", now)
    return {"messages": shop.outbox.prune(before) if before else 0}


def _jobs(shop: Shop, now: datetime) -> Mapping[str, Any]:
    before = _since(shop, "jobs", now)
    return {"jobs": shop.work.prune(before) if before else 0}


def _score_changes(shop: Shop, now: datetime) -> Mapping[str, Any]:
    before = _since(shop, "score_changes", now)
    return {"rows": shop.watch.prune(before) if before else 0}


def _scores(shop: Shop, now: datetime) -> Mapping[str, Any]:
    before = _since(shop, "scores", now)
    return {"batches": shop.scores.prune(before) if before else 0}


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
    "customers": _customers,
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
