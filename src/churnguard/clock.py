"""The only file that knows what day it is.

Everything else is handed a :class:`Clock`, so that tests and replays decide what "now" means.
Instants inside ChurnGuard are int64 microseconds since 1970-01-01 UTC; this file also holds the
few conversions between those, ``datetime`` and shop-local dates.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from churnguard.errors import InvalidRequest

Clock = Callable[[], datetime]

DAY_US = 86_400_000_000
"""One day, the unit of every window, in microseconds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def system_clock() -> datetime:
    """Return the machine's time, with the UTC time zone."""
    return datetime.now(UTC)


def to_us(instant: datetime) -> int:
    """Return an aware instant as microseconds since 1970-01-01 UTC.

    Examples
    --------
    >>> to_us(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_us(microseconds: int) -> datetime:
    """Return the UTC instant of so many microseconds since 1970-01-01.

    Examples
    --------
    >>> from_us(86_400_000_000).isoformat()
    '1970-01-02T00:00:00+00:00'
    """
    return _EPOCH + timedelta(microseconds=int(microseconds))


def midnight(day: date, timezone: str) -> datetime:
    """Return the instant at which a shop-local day begins, in UTC.

    Examples
    --------
    >>> midnight(date(2026, 7, 1), "Asia/Jerusalem").isoformat()
    '2026-06-30T21:00:00+00:00'
    """
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone)).astimezone(UTC)


def local_day(instant: datetime, timezone: str) -> date:
    """Return the shop-local calendar day of an instant.

    Examples
    --------
    >>> local_day(datetime(2026, 6, 30, 21, tzinfo=UTC), "Asia/Jerusalem").isoformat()
    '2026-07-01'
    """
    return instant.astimezone(ZoneInfo(timezone)).date()


def end_of_local_day(instant: datetime, timezone: str) -> datetime:
    """Return the instant at which the shop-local day of ``instant`` ends, in UTC.

    Examples
    --------
    >>> end_of_local_day(datetime(2011, 12, 9, 12, 50, tzinfo=UTC), "UTC").isoformat()
    '2011-12-10T00:00:00+00:00'
    """
    return midnight(local_day(instant, timezone) + timedelta(days=1), timezone)


def parse_instant(text: str, timezone: str) -> datetime:
    """Read an ISO 8601 date or time; a date is shop-local midnight, a naive time shop-local.

    Parameters
    ----------
    text : str
        ``2026-11-21``, ``2026-11-21T08:00``, or with a zone, ``2026-11-21T08:00:00Z``.
    timezone : str
        The shop's IANA time zone.

    Returns
    -------
    datetime
        In UTC.

    Raises
    ------
    InvalidRequest
        If the text is not ISO 8601, or the instant lies outside the calendar in UTC.

    Examples
    --------
    >>> parse_instant("2011-09-11", "UTC").isoformat()
    '2011-09-11T00:00:00+00:00'
    """
    try:
        instant = datetime.fromisoformat(text.strip())
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=ZoneInfo(timezone))
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(
            f"'{text}' is not a date or time.", hint="Write 2026-11-21 or 2026-11-21T08:00:00Z."
        ) from None


def not_in_future(instant: datetime, clock: Clock) -> datetime:
    """Return an instant that has come; of what has not, nothing is known yet.

    Raises
    ------
    InvalidRequest
        If the instant is later than the clock.

    Examples
    --------
    >>> noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    >>> not_in_future(noon, lambda: noon) == noon
    True
    """
    if instant > clock():
        raise InvalidRequest(
            f"{iso(instant)} lies in the future: nothing is known of it yet.",
            hint="Name an instant before now, or none for this moment.",
        )
    return instant


def iso(instant: datetime) -> str:
    """Return an instant as ISO 8601 in UTC, with ``Z``, without needless fractions.

    Examples
    --------
    >>> iso(datetime(2026, 11, 21, 8, tzinfo=UTC))
    '2026-11-21T08:00:00Z'
    """
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
