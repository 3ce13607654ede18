"""Fakes and builders for tests, ChurnGuard's own and yours.

The fakes keep the promises of the ports in :mod:`churnguard.jobs.ports`: the same contract tests
run over them and over the real adapters.
"""

from __future__ import annotations

from churnguard.testing.audit import FakeAuditLog
from churnguard.testing.builders import (
    MODEL,
    NOON,
    build_action,
    build_events,
    build_reason,
    build_run,
    build_score,
)
from churnguard.testing.changes import FakeChanges
from churnguard.testing.engine import FakeEngine
from churnguard.testing.event_store import FakeEventStore
from churnguard.testing.golden_corpus import GOLDEN_ZONE, golden_corpus, golden_cutoffs
from churnguard.testing.key_store import FakeKeyStore
from churnguard.testing.ledger import FakeLedger
from churnguard.testing.model import FakeChampion, FakeModel, FakeScorer
from churnguard.testing.outbox import FakeCourier, FakeOutbox, FakeReceipt
from churnguard.testing.privacy import FakePrivacyStore
from churnguard.testing.replies import FakeReplyStore
from churnguard.testing.sample_shop import sample_shop
from churnguard.testing.score_store import FakeScoreStore
from churnguard.testing.service import fake_service
from churnguard.testing.shop import fake_shop
from churnguard.testing.watch import FakeWatchStore
from churnguard.testing.work import FakeWorkBook

__all__ = [
    "GOLDEN_ZONE",
    "MODEL",
    "NOON",
    "FakeAuditLog",
    "FakeChampion",
    "FakeChanges",
    "FakeCourier",
    "FakeEngine",
    "FakeEventStore",
    "FakeKeyStore",
    "FakeLedger",
    "FakeModel",
    "FakeOutbox",
    "FakePrivacyStore",
    "FakeReceipt",
    "FakeReplyStore",
    "FakeScoreStore",
    "FakeScorer",
    "FakeWatchStore",
    "FakeWorkBook",
    "build_action",
    "build_events",
    "build_reason",
    "build_run",
    "build_score",
    "fake_service",
    "fake_shop",
    "golden_corpus",
    "golden_cutoffs",
    "sample_shop",
]
