"""A whole shop in memory: every port filled with its fake."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from churnguard.jobs.ports import ModelRegistry, Shop
from churnguard.project.settings import Settings
from churnguard.scoring.score import Score
from churnguard.testing.audit import FakeAuditLog
from churnguard.testing.builders import NOON, build_run
from churnguard.testing.changes import FakeChanges
from churnguard.testing.event_store import FakeEventStore
from churnguard.testing.key_store import FakeKeyStore
from churnguard.testing.ledger import FakeLedger
from churnguard.testing.outbox import FakeCourier, FakeOutbox
from churnguard.testing.privacy import FakePrivacyStore
from churnguard.testing.replies import FakeReplyStore
from churnguard.testing.score_store import FakeScoreStore
from churnguard.testing.watch import FakeWatchStore
from churnguard.testing.work import FakeWorkBook

SETTINGS = {"name": "Olive & Thyme", "currency": "ILS", "timezone": "Asia/Jerusalem"}


def fake_shop(
    scores: Iterable[Score] = (), *, events: pa.Table | None = None, **changes: Any
) -> Shop:
    """Return a shop whose clock stands at :data:`~churnguard.testing.NOON`.

    Parameters
    ----------
    scores : iterable of Score
        Stored as the newest batch; none: no batch has been made yet.
    events : pyarrow.Table, optional
        The event log.
    **changes
        Fields of :class:`~churnguard.jobs.ports.Shop` that differ.

    Examples
    --------
    >>> fake_shop().scores.latest_run() is None
    True
    """
    log = FakeEventStore(events)
    store = FakeScoreStore(log)
    batch = list(scores)
    if batch:
        store.save_run(build_run(customers=len(batch)), batch)
    outbox = FakeOutbox()
    shop = Shop(
        root=Path(),
        settings=Settings.model_validate(SETTINGS),
        events=log,
        changes=FakeChanges(log, store),
        scores=store,
        ledger=FakeLedger(),
        keys=FakeKeyStore(),
        replies=FakeReplyStore(),
        audit=FakeAuditLog(),
        privacy=FakePrivacyStore(log),
        work=FakeWorkBook(),
        outbox=outbox,
        watch=FakeWatchStore(log, outbox),
        courier=FakeCourier(),
        registry=_no_registry,
        clock=lambda: NOON,
    )
    return replace(shop, **changes)


def _no_registry() -> ModelRegistry:
    raise NotImplementedError("The shop in memory has no model registry.")
