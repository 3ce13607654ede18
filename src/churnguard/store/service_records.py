"""The records of the running service: webhooks, work, and the watch over the customers' risk.

Plain and frozen, like those of :mod:`churnguard.store.records`; jobs import them
from :mod:`churnguard.jobs.ports`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

DeliveryState = Literal["waiting", "delivered", "failed", "cancelled"]
JobState = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True)
class Endpoint:
    """Where messages are sent to.

    Attributes
    ----------
    events : tuple of str
        The types of message that it wants.
    generation : int
        How often its secret has been made anew; with the id, what the secret is derived from.
    rotated_at : datetime or None
        When that was last; the secret before is used as well for a while.
    disabled_at, disabled_reason : datetime and str, or None
        Since when, and why, nothing is sent there.
    """

    endpoint_id: str
    url: str
    events: tuple[str, ...]
    description: str
    generation: int
    created_at: datetime
    rotated_at: datetime | None = None
    disabled_at: datetime | None = None
    disabled_reason: str | None = None


@dataclass(frozen=True)
class Message:
    """Something to be told; its id stays the same however often it is sent.

    Attributes
    ----------
    customer_id : str or None
        Whom it is about; nothing is sent about people who object to profiling meanwhile.
    body : str
        JSON, as it is sent and signed.
    """

    message_id: str
    type: str
    customer_id: str | None
    body: str
    created_at: datetime


@dataclass(frozen=True)
class Delivery:
    """One message to one endpoint, and how far it got."""

    number: int
    message: Message
    endpoint: Endpoint
    state: DeliveryState
    attempts: int
    next_at: datetime
    last_status: int | None = None
    last_error: str | None = None
    delivered_at: datetime | None = None


@dataclass(frozen=True)
class Attempt:
    """What became of one attempt to deliver.

    Attributes
    ----------
    state : str
        ``waiting`` for another attempt at ``next_at``, or how it ended.
    status : int or None
        The HTTP status, where one was answered.
    error : str or None
        A word for what went wrong, never a text of the other side.
    """

    state: DeliveryState
    at: datetime
    next_at: datetime
    status: int | None = None
    error: str | None = None


LONGEST_LEASE = timedelta(days=1)
"""Nobody takes a lease for longer: one that ends later was taken by a clock that was wrong."""


@dataclass(frozen=True)
class Lease:
    """The right to do something alone until an instant; ``token`` rises with each new holder."""

    name: str
    holder: str
    token: int
    until: datetime

    def holds(self, now: datetime) -> bool:
        """Tell whether it is still somebody's.

        Examples
        --------
        >>> from datetime import UTC
        >>> noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
        >>> [Lease("daily", "a", 1, noon).holds(noon - timedelta(hours=h)) for h in (0, 1, 25)]
        [False, True, False]
        """
        return now < self.until <= now + LONGEST_LEASE


@dataclass(frozen=True)
class Job:
    """Work that was asked for; asking for the same again finds the same job."""

    job_id: str
    kind: str
    arguments: Mapping[str, Any]
    state: JobState
    attempts: int
    created_at: datetime
    finished_at: datetime | None = None
    answer: Mapping[str, Any] | None = None
    error: str | None = None


@dataclass(frozen=True)
class Position:
    """How far somebody has followed the log: its last number seen, and the log's epoch.

    Another epoch means that the log was rewritten (an erasure, a merge) since.
    """

    seq: int
    epoch: int


@dataclass(frozen=True)
class Standing:
    """What was last said of a customer, by which a later score is compared.

    Attributes
    ----------
    band, margin, bundle : str, float and str
        Of that score; ``margin`` in log-odds, to the last bit.
    document : mapping
        JSON-ready: ``risk``, ``horizon_days``, ``model`` (version), ``told`` (the band that was
        last raised to, see the risk watch), ``action``; ``outcome`` and ``known_at`` once frozen.
    frozen : bool
        The outcome is known: it stays as it is.
    """

    customer_id: str
    as_of: datetime
    band: str
    margin: float
    bundle: str
    document: Mapping[str, Any] = field(default_factory=dict)
    frozen: bool = False


@dataclass(frozen=True)
class ScoreChange:
    """A move from one standing to the next, in log-odds, split into what moved it.

    The four parts add up to ``to_margin - from_margin`` exactly, in any order of adding.
    """

    customer_id: str
    from_at: datetime
    to_at: datetime
    from_margin: float
    to_margin: float
    behaviour: float
    time_passing: float
    late_data: float
    model_change: float
    document: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Move:
    """What the watch does with one customer, all of it or nothing.

    Attributes
    ----------
    before : Standing or None
        What stood until now; where something else stands meanwhile, nothing is done.
    after : Standing or None
        What stands from now on; None: the customer is no longer followed.
    frozen : Standing or None
        ``before`` with its outcome, kept for good.
    change : ScoreChange or None
        For the ledger.
    messages : tuple of Message
        To be sent.
    """

    customer_id: str
    before: Standing | None
    after: Standing | None
    frozen: Standing | None = None
    change: ScoreChange | None = None
    messages: tuple[Message, ...] = ()
