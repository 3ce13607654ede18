"""What jobs need of the outside world, as ports: one file for each kind of thing.

The records that cross them are in :mod:`churnguard.store.records`, and may be imported from here.
Real adapters live in ``store/``, shipped fakes in ``testing/``; ``bootstrap.py`` chooses.
"""

from churnguard.jobs.ports.changes import Changes
from churnguard.jobs.ports.engine import Engine, Task
from churnguard.jobs.ports.events import EventStore
from churnguard.jobs.ports.keys import KeyStore
from churnguard.jobs.ports.models import Ledger, ModelRegistry
from churnguard.jobs.ports.progress import Progress, silent
from churnguard.jobs.ports.scores import ScoreStore
from churnguard.jobs.ports.shop import Shop
from churnguard.store.records import (
    ApiKey,
    Appended,
    AtRiskQuery,
    LedgerEntry,
    LogPosition,
    Outcome,
    QuarantinedRow,
    RegisteredModel,
    ScoreRun,
)

__all__ = [
    "ApiKey",
    "Appended",
    "AtRiskQuery",
    "Changes",
    "Engine",
    "EventStore",
    "KeyStore",
    "Ledger",
    "LedgerEntry",
    "LogPosition",
    "ModelRegistry",
    "Outcome",
    "Progress",
    "QuarantinedRow",
    "RegisteredModel",
    "ScoreRun",
    "ScoreStore",
    "Shop",
    "Task",
    "silent",
]
