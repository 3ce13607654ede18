"""Reading the at-risk list to its end: a second scope, and an entry in the audit log.

The first thousand are a day's work; whoever goes on takes the shop's whole base along.
"""

from __future__ import annotations

import time

from churnguard.jobs.at_risk import AtRiskPage
from churnguard.jobs.audit import record
from churnguard.jobs.pages import LARGEST_PAGE
from churnguard.serving.auth import Caller, ScopeMissing

SCOPE = "scores:export"
_ONCE_SECONDS = 3600.0
_MOST_KNOWN = 10_000


class BulkReads:
    """Let go on only those who may, and write down once an hour that they did."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], float] = {}

    def check(self, caller: Caller, page: AtRiskPage) -> None:
        """Check a page that is not the first.

        Raises
        ------
        ScopeMissing
            If the list is longer than a thousand and the key lacks the scope.
        """
        if page.total <= LARGEST_PAGE:
            return
        if SCOPE not in caller.key.scopes:
            raise ScopeMissing(SCOPE)
        run = page.run.run_id if page.run else ""
        name, now = (caller.key.key_id, run), time.monotonic()
        if now - self._told.get(name, -_ONCE_SECONDS) < _ONCE_SECONDS:
            return
        if len(self._told) >= _MOST_KNOWN:
            self._told.clear()
        self._told[name] = now
        actor = f"key:{caller.key.key_id}"
        record(caller.door.shop, actor, "scores.read_in_bulk", customers=page.total, run=run)
