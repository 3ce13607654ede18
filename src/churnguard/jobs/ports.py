"""What jobs need of the outside world, as ports.

The records that cross them are in :mod:`churnguard.store.records`, and may be imported from here.
Real adapters live in ``store/``, shipped fakes in ``testing/``; ``bootstrap.py`` chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from churnguard.clock import Clock, system_clock
from churnguard.project.settings import Settings
from churnguard.scoring.score import Score
from churnguard.store.records import (
    ApiKey,
    Appended,
    AtRiskQuery,
    LedgerEntry,
    Outcome,
    QuarantinedRow,
    RegisteredModel,
    ScoreRun,
)

__all__ = [
    "ApiKey",
    "Appended",
    "AtRiskQuery",
    "Engine",
    "EventStore",
    "KeyStore",
    "Ledger",
    "LedgerEntry",
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

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how many are done, and of how many (None: not known)."""


def silent(what: str, done: int, of: int | None) -> None:
    """Report progress to nobody."""
    del what, done, of


class EventStore(Protocol):
    """The one door for events, and where they are read from."""

    def append(
        self,
        events: pa.Table,
        *,
        rejected: Sequence[QuarantinedRow] = (),
        mends: Sequence[str | None] = (),
    ) -> Appended:
        """Store canonical events (``EVENT_SCHEMA``) durably; the same id twice is a duplicate.

        ``rejected`` rows go to the quarantine. ``mends`` names, event by event, the quarantined
        row that it mends, if any; that row leaves the quarantine unless the event is a conflict.
        All of a call is one transaction: everything is stored, or nothing.
        """

    def quarantine(self, rows: Sequence[QuarantinedRow]) -> int:
        """Keep rejected rows; return how many were not there before."""

    def quarantined(
        self, *, reason: str | None = None, limit: int | None = None
    ) -> list[QuarantinedRow]:
        """Return rows in quarantine, oldest first."""

    def quarantine_counts(self) -> Mapping[str, int]:
        """Return how many rows are in quarantine, by reason."""

    def release(self, row_ids: Sequence[str]) -> int:
        """Take rows out of quarantine, after a replay accepted them."""

    def conflicts(self, *, limit: int | None = None) -> list[dict[str, Any]]:
        """Return events whose id came again with another payload: id, first seen, both payloads."""

    def events_of(self, customer_ids: Sequence[str]) -> pa.Table:
        """Return all events of some customers (canonical), straight from the store."""

    def has_customer(self, customer_id: str) -> bool:
        """Tell whether the customer has an event or a row in the customer book."""

    def history(self) -> pa.Table:
        """Return the whole log (canonical): Parquet history plus the store's tail."""

    def partitions(self) -> Iterator[pa.Table]:
        """Yield the log in partitions; all events of a customer are in one partition."""

    def export(self) -> int:
        """Bring the Parquet history up to date; return the events written."""

    def event_counts(self) -> Mapping[str, int]:
        """Return how many events there are, by event name."""

    def data_through(self, before: datetime | None = None) -> datetime | None:
        """Return the instant of the newest event, of those known before an instant if given."""

    def put_customers(self, customers: pa.Table) -> Appended:
        """Store the customer book; an unchanged row is a duplicate, a changed one is accepted."""

    def customers(self, customer_ids: Sequence[str] | None = None) -> pa.Table:
        """Return the customer book: see ``events.customers.CUSTOMER_SCHEMA``."""


class ScoreStore(Protocol):
    """Where scores and the decisions taken with them are kept."""

    def save_run(self, run: ScoreRun, scores: Sequence[Score]) -> None:
        """Store a batch and its decisions in one transaction."""

    def save_decisions(self, scores: Sequence[Score]) -> None:
        """Store the decisions of scores given outside a batch (an API request)."""

    def latest_run(self) -> ScoreRun | None:
        """Return the newest batch."""

    def stored_score(self, customer_id: str, run_id: str | None = None) -> Score | None:
        """Return a customer's score in a batch (the newest one by default)."""

    def at_risk(self, query: AtRiskQuery) -> tuple[list[Score], int]:
        """Return one page of the newest batch, sorted, and the number of all that match."""

    def run_summary(self) -> Mapping[str, Any] | None:
        """Return counts by status and band, and expected gain in all, of the newest batch."""

    def record_outcome(
        self, decision_id: str, outcome: Outcome, *, at: datetime, actor: str, note: str = ""
    ) -> str:
        """Add an outcome and return the decision's customer; ``DecisionNotFound`` if unknown."""

    def outcomes_of(self, customer_id: str) -> list[dict[str, Any]]:
        """Return decisions and outcomes of a customer: decision_id, action, outcome, at, actor."""

    def last_actions(self, customer_ids: Sequence[str]) -> Mapping[str, Mapping[str, datetime]]:
        """Return, by customer and action code, when it was last contacted; for cooldowns."""

    def decisions(self, before: datetime) -> pa.Table:
        """Return what was decided before an instant: ``training.treatment.TREATMENT_SCHEMA``.

        Only of actions by which somebody was contacted before it; empty where nobody was.
        """


class Ledger(Protocol):
    """Who was champion when, approved by whom."""

    def append(
        self,
        *,
        at: datetime,
        version: str,
        bundle: str,
        approved_by: str,
        reason: str,
        trained_until: datetime,
        labels_through: datetime,
    ) -> LedgerEntry:
        """Add an entry; it becomes the champion at once."""

    def champion(self) -> LedgerEntry | None:
        """Return the newest entry."""

    def history(self) -> list[LedgerEntry]:
        """Return all entries, newest first."""


class KeyStore(Protocol):
    """API keys ``cg_live_<id>_<secret>``: shown once, stored as SHA-256 of the secret."""

    def create(
        self, name: str, scopes: Sequence[str], *, now: datetime, expires_at: datetime | None = None
    ) -> tuple[ApiKey, str]:
        """Make a key; the second value is the full text, to be shown once."""

    def verify(self, text: str, *, now: datetime) -> ApiKey | None:
        """Return the key if the text is right, live and not expired; compare in constant time."""

    def keys(self) -> list[ApiKey]:
        """Return all keys, newest first."""

    def revoke(self, key_id: str, *, now: datetime) -> bool:
        """Revoke a key; False when there is none."""


class ModelRegistry(Protocol):
    """MLflow, as ChurnGuard uses it."""

    def log_training(
        self,
        *,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        files: Mapping[str, Path],
        make_bundle: Callable[[str], Path],
        feature_names: Sequence[str],
    ) -> tuple[str, str]:
        """Log one training as a run; return the run id and the registered version.

        ``make_bundle`` is given the run id, writes the bundle and returns its folder.
        """

    def set_champion(self, version: str) -> None:
        """Mirror the ledger: point the alias ``champion`` to this version."""

    def champion_version(self) -> str | None:
        """Return the version that the alias ``champion`` points to."""

    def versions(self) -> list[RegisteredModel]:
        """Return all versions, newest first."""

    def fetch_bundle(self, version: str, target: Path) -> Path:
        """Copy a version's bundle into ``target`` and return its folder."""


class Task(Protocol):
    """What is done with one partition of customers, on whatever machine it is.

    A task travels to the workers of an engine, so it holds plain data and needs no project there.
    """

    @property
    def columns(self) -> Sequence[str]:
        """The columns of events that it reads; others are not sent."""

    @property
    def schema(self) -> pa.Schema:
        """The columns of its answer."""

    def __call__(self, events: pa.Table, beside: pa.Table | None = None) -> pa.Table:
        """Return the answer for some customers: all their events, and what is known beside."""


class Engine(Protocol):
    """Runs tasks over all partitions of customers of one table of events."""

    def run(self, task: Task, *, beside: pa.Table | None = None, only: bool = False) -> pa.Table:
        """Return what a task makes of all partitions, in no order.

        ``beside`` holds facts by ``customer_id``: a task is given those of its own customers, and
        customers without events are in a partition too. ``only`` leaves all other customers out.
        """

    def write(self, task: Task, out: str, *, order_by: Sequence[str]) -> Mapping[str, int]:
        """Write a task's sorted answer as Parquet; return how many values each column has."""


@dataclass(frozen=True)
class Shop:
    """One opened project: its settings and the adapters that ``bootstrap`` chose."""

    root: Path
    settings: Settings
    events: EventStore
    scores: ScoreStore
    ledger: Ledger
    keys: KeyStore
    registry: Callable[[], ModelRegistry]
    clock: Clock = system_clock
    environ: Mapping[str, str] = field(default_factory=dict)
