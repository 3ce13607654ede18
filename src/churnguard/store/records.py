"""The records that pass between jobs and the store: plain, frozen, without behaviour.

They live below the ports, so that adapters need not look up; jobs import them from
:mod:`churnguard.jobs.ports`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

import numpy as np
import numpy.typing as npt

Outcome = Literal["contacted", "converted", "dismissed", "snoozed", "reopened"]
"""What became of a decision; the newest counts, and ``reopened`` takes the last one back."""

ACCEPTED, DUPLICATE, CONFLICT, ERASED = 0, 1, 2, 3
"""What became of one event, as the store counts it; ``ERASED``: its person was, nothing is kept."""


@dataclass(frozen=True)
class Appended:
    """What became of the valid events handed to the store; the four add up to the rows given.

    Attributes
    ----------
    accepted, duplicates, conflicts : int
        New; known already; known with another payload.
    outcomes : numpy.ndarray of int8, shape (rows,)
        The same, row by row: :data:`ACCEPTED`, :data:`DUPLICATE`, :data:`CONFLICT` or
        :data:`ERASED`.
    erased : int
        Of people who were erased; dropped.
    """

    accepted: int
    duplicates: int
    conflicts: int
    outcomes: npt.NDArray[np.int8] = field(
        default_factory=lambda: np.empty(0, np.int8), repr=False, compare=False
    )
    erased: int = field(default=0, repr=False)


@dataclass(frozen=True)
class LogPosition:
    """How far a store is: nothing a score is made of has changed while this has not.

    Attributes
    ----------
    epoch : str
        Another one where the log itself was rewritten: nothing kept from before holds.
    book : int
        Rises with every change of the customer book.
    merges : int
        Rises with every id that turned out to be another customer's.
    events, outcomes : int
        The number of the newest event, and of the newest outcome.
    """

    epoch: str
    book: int
    merges: int
    events: int
    outcomes: int


@dataclass(frozen=True)
class QuarantinedRow:
    """One row that could not be accepted.

    Attributes
    ----------
    row_id : str
        Stable: the same row of the same file has the same id, so it is kept once.
    source : str
        File name (never a full path) or API call it came from.
    row_number : int
        Counted from 1 in the source.
    reason : str
        A code such as ``missing_customer``; every code is documented in ``docs/events.md``.
    detail : str
        One sentence for a person.
    payload : str
        The row as JSON, as it was read.
    recipe : str
        JSON of how it was read (kind, preset or mapping), so that it can be replayed.
    place : int
        Where it stands in the quarantine, rising with each row put there; 0 before it is.
    """

    row_id: str
    source: str
    row_number: int
    reason: str
    detail: str
    payload: str
    recipe: str
    place: int = field(default=0, compare=False)


@dataclass(frozen=True)
class ScoreRun:
    """One batch of scores: when it was asked for, the instant it looks back from, its model."""

    run_id: str
    as_of: datetime
    created_at: datetime
    model_version: str
    customers: int


@dataclass(frozen=True)
class AtRiskQuery:
    """Filters of the at-risk list; see the API's documentation for each."""

    band: str | None = None
    min_risk: float | None = None
    segment: str | None = None
    action: str | None = None
    min_value: float | None = None
    group: Literal["treat", "control"] | None = None
    outcome: Literal["open", "done", "all"] = "open"
    sort: Literal["expected_gain", "risk"] = "expected_gain"
    page_size: int = 50
    after: tuple[float, str] | None = None


@dataclass(frozen=True)
class LedgerEntry:
    """One change of champion. The ledger is append-only and is the truth."""

    sequence: int
    at: datetime
    version: str
    bundle: str
    approved_by: str
    reason: str
    trained_until: datetime
    labels_through: datetime


@dataclass(frozen=True)
class ApiKey:
    """A stored API key; the secret itself is never stored."""

    key_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = None
    replaces: str | None = None


Detail = str | int | float | bool | None
"""A further fact of an audit entry."""


@dataclass(frozen=True)
class AuditEntry:
    """One act in the audit log; ``subject`` is a keyed pseudonym."""

    sequence: int
    at: datetime
    actor: str
    action: str
    subject: str | None
    details: Mapping[str, Detail]
    digest: bytes


@dataclass(frozen=True)
class AuditDay:
    """The signed digest with which a UTC day of the audit log ended."""

    day: str
    last_sequence: int
    digest: bytes
    signature: str


@dataclass(frozen=True)
class AuditVerdict:
    """What a check of the audit log found.

    Attributes
    ----------
    entries, days : int
        Entries and sealed days found right, before the first that is not.
    head : str
        Digest of the last right entry; to be noted elsewhere.
    broken : str
        The first thing that is wrong; empty when nothing is.
    public_key : str
        With which the days' signatures can be checked: Ed25519, base64.
    """

    entries: int
    days: int
    head: str
    broken: str
    public_key: str

    def but(self, broken: str) -> AuditVerdict:
        """Return the verdict with something wrong."""
        return replace(self, broken=broken)


@dataclass(frozen=True)
class Reply:
    """What was answered to a request with an idempotency key; ``running``: nothing yet."""

    fingerprint: bytes
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    running: bool = False


@dataclass(frozen=True)
class RegisteredModel:
    """One version in the registry."""

    version: str
    run_id: str
    bundle: str
    created_at: datetime
    aliases: tuple[str, ...]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
