"""The records of what comes in by requests: a batch of events, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from churnguard.store.records import QuarantinedRow

LINKED, KNOWN, REFUSED, GONE = 0, 1, 2, 3
"""What became of one link: new; said before; the id is linked with somebody else already; one of
the two ids is an erased person's."""


@dataclass(frozen=True)
class Link:
    """An id that turned out to be a customer's, and who said so."""

    alias_id: str
    customer_id: str
    source: str = "api"


@dataclass(frozen=True)
class EventBatch:
    """What one request brings; it is stored with others, and becomes what it would alone.

    Attributes
    ----------
    rows : sequence of tuple
        Events, each the values of ``EVENT_SCHEMA`` in order, instants as microseconds; an order
        before its lines.
    keyed : sequence of tuple
        The same events as rows of the store, made before the store is held up for them; empty:
        the store makes them.
    rejected : sequence of QuarantinedRow
        Rows for the quarantine.
    links : sequence of Link
        Ids that turned out to be a customer's; they count for the events of this batch already.
    mends : sequence of str or None
        Event by event, the quarantined row that it mends; empty: none.
    whole : bool
        Nothing is stored if one event is a conflict or one link not made.
    at : int
        When the batch came, in microseconds.
    """

    rows: Sequence[tuple[Any, ...]] = ()
    rejected: Sequence[QuarantinedRow] = ()
    links: Sequence[Link] = ()
    mends: Sequence[str | None] = ()
    whole: bool = False
    at: int = 0
    keyed: Sequence[tuple[Any, ...]] = ()


@dataclass(frozen=True)
class Taken:
    """What became of a batch.

    Attributes
    ----------
    outcomes : sequence of int
        Event by event: ``ACCEPTED``, ``DUPLICATE`` or ``CONFLICT``.
    links : sequence of int
        Link by link: :data:`LINKED`, :data:`KNOWN`, :data:`REFUSED` or :data:`GONE`.
    stored : bool
        False where a batch that had to be whole was not; the outcomes then say why.
    """

    outcomes: Sequence[int] = field(default=())
    links: Sequence[int] = field(default=())
    stored: bool = True
