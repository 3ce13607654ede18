"""A table of events as the history that snapshots are taken of; instants as one may write them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from churnguard.clock import end_of_local_day, parse_instant, to_us
from churnguard.errors import InvalidRequest, NotEnoughHistory
from churnguard.events.timeline import Timeline
from churnguard.jobs.snapshots import History, known_events

Instant: TypeAlias = datetime | date | str
"""``2026-09-01`` (shop-local midnight), an ISO 8601 time, a ``datetime`` or a ``Timestamp``."""


def read_instant(value: Instant, timezone: str) -> datetime:
    """Return an aware instant; dates are shop-local midnights, naive times shop-local.

    Examples
    --------
    >>> read_instant(date(2026, 9, 1), "Asia/Jerusalem").isoformat()
    '2026-08-31T21:00:00+00:00'
    """
    if not isinstance(value, datetime):
        return parse_instant(str(value), timezone)
    return value if value.tzinfo else value.replace(tzinfo=ZoneInfo(timezone))


def read_cutoffs(cutoffs: Iterable[Instant], timezone: str) -> list[int]:
    """Return distinct instants, oldest first, microseconds UTC.

    Raises
    ------
    InvalidRequest
        If there is none, or one cannot be read.
    """
    given = [cutoffs] if isinstance(cutoffs, str | date) else list(cutoffs)
    if not given:
        raise InvalidRequest("There is no cutoff to build rows for.", hint="Name at least one.")
    return sorted({to_us(read_instant(cutoff, timezone)) for cutoff in given})


def read_history(events: pa.Table, *, timezone: str, until: Instant | None = None) -> History:
    """Return what was known before an instant; all there is when not given.

    Parameters
    ----------
    events : pyarrow.Table
        From :func:`churnguard.tables.events.read_events`.
    timezone : str
        The shop's IANA time zone.
    until : datetime, date or str, optional
        By both clocks, nothing from it on is read.

    Raises
    ------
    NotEnoughHistory
        If there is no event.
    """
    if until is not None:
        events = known_events(events, read_instant(until, timezone), pa.array([], pa.string()))
    if not events.num_rows:
        raise NotEnoughHistory("There are no events.", hint="Choose a later instant.")
    names = pc.value_counts(events["event"].cast(pa.string())).to_pylist()
    span = pc.min_max(events["occurred_at"]).as_py()
    assumed = pc.sum(pc.equal(events["clock"].cast(pa.string()), "assumed")).as_py()
    return History(
        timelines=[Timeline.from_arrow(events)],
        event_counts={entry["values"]: entry["counts"] for entry in names},
        data_from=span["min"],
        data_through=span["max"],
        data_end=to_us(end_of_local_day(span["max"], timezone)),
        assumed_share=assumed / events.num_rows,
    )
