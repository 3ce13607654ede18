"""What jobs need of the outside world, as ports: one file for each kind of thing.

The records that cross them are in :mod:`churnguard.store.records`, and may be imported from here.
Real adapters live in ``store/``, shipped fakes in ``testing/``; ``bootstrap.py`` chooses.
"""

from churnguard.jobs.ports.audit import AuditLog
from churnguard.jobs.ports.changes import Changes
from churnguard.jobs.ports.engine import Engine, Task
from churnguard.jobs.ports.events import EventStore
from churnguard.jobs.ports.keys import KeyStore
from churnguard.jobs.ports.models import Ledger, ModelRegistry
from churnguard.jobs.ports.outbox import Courier, Outbox, Receipt
from churnguard.jobs.ports.privacy import PrivacyStore
from churnguard.jobs.ports.progress import Progress, silent
from churnguard.jobs.ports.replies import ReplyStore
from churnguard.jobs.ports.scores import ScoreStore
from churnguard.jobs.ports.shop import Shop
from churnguard.jobs.ports.watch import WatchStore
from churnguard.jobs.ports.work import WorkBook
from churnguard.store.intake_records import (
    GONE,
    KNOWN,
    LINKED,
    REFUSED,
    EventBatch,
    Link,
    Taken,
)
from churnguard.store.privacy_records import ErasureReceipt, Restriction
from churnguard.store.records import (
    ApiKey,
    Appended,
    AtRiskQuery,
    AuditEntry,
    AuditVerdict,
    Detail,
    LedgerEntry,
    LogPosition,
    Outcome,
    QuarantinedRow,
    RegisteredModel,
    Reply,
    ScoreRun,
)
from churnguard.store.service_records import (
    Attempt,
    Delivery,
    DeliveryState,
    Endpoint,
    Job,
    Lease,
    Message,
    Move,
    Position,
    ScoreChange,
    Standing,
)

__all__ = [
    "GONE",
    "KNOWN",
    "LINKED",
    "REFUSED",
    "ApiKey",
    "Appended",
    "AtRiskQuery",
    "Attempt",
    "AuditEntry",
    "AuditLog",
    "AuditVerdict",
    "Changes",
    "Courier",
    "Delivery",
    "DeliveryState",
    "Detail",
    "Endpoint",
    "Engine",
    "ErasureReceipt",
    "EventBatch",
    "EventStore",
    "Job",
    "KeyStore",
    "Lease",
    "Ledger",
    "LedgerEntry",
    "Link",
    "LogPosition",
    "Message",
    "ModelRegistry",
    "Move",
    "Outbox",
    "Outcome",
    "Position",
    "PrivacyStore",
    "Progress",
    "QuarantinedRow",
    "Receipt",
    "RegisteredModel",
    "Reply",
    "ReplyStore",
    "Restriction",
    "ScoreChange",
    "ScoreRun",
    "ScoreStore",
    "Shop",
    "Standing",
    "Taken",
    "Task",
    "WatchStore",
    "WorkBook",
    "silent",
]
