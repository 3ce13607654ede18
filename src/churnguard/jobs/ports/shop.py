"""One opened project: what every job is handed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from churnguard.clock import Clock, system_clock
from churnguard.jobs.ports.audit import AuditLog
from churnguard.jobs.ports.changes import Changes
from churnguard.jobs.ports.events import EventStore
from churnguard.jobs.ports.keys import KeyStore
from churnguard.jobs.ports.models import Ledger, ModelRegistry
from churnguard.jobs.ports.outbox import Courier, Outbox
from churnguard.jobs.ports.privacy import PrivacyStore
from churnguard.jobs.ports.replies import ReplyStore
from churnguard.jobs.ports.scores import ScoreStore
from churnguard.jobs.ports.watch import WatchStore
from churnguard.jobs.ports.work import WorkBook
from churnguard.project.settings import Settings


@dataclass(frozen=True)
class Shop:
    """One opened project: its settings and the adapters that ``bootstrap`` chose."""

    root: Path
    settings: Settings
    events: EventStore
    changes: Changes
    scores: ScoreStore
    ledger: Ledger
    keys: KeyStore
    replies: ReplyStore
    audit: AuditLog
    privacy: PrivacyStore
    work: WorkBook
    outbox: Outbox
    watch: WatchStore
    courier: Courier
    registry: Callable[[], ModelRegistry]
    clock: Clock = system_clock
    environ: Mapping[str, str] = field(default_factory=dict)
