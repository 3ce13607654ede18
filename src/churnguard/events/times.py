"""Reads instants as shops write them: ISO text, dates, epoch numbers, with or without a zone.

A time without a zone is shop-local. Where clocks are put back, it is the first of the two
occurrences; where they are put forward, a time that never was is moved forward by the gap. Both are
what Python's ``datetime`` does with ``fold=0``, here for whole columns, and both are counted.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from churnguard.clock import DAY_US, from_us, to_us
from churnguard.errors import InvalidRequest

Instants = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""An instant before this is taken for a mistake."""

_LONGEST_LAG = 36_525 * DAY_US
_LAG = re.compile(r"(\d{1,9}) ?([smhdw])")
_LAG_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_YEAR_US = 31_556_952_000_000
_EPOCH_FROM = to_us(datetime(2000, 1, 1, tzinfo=UTC))
_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}(:\d{2}(:\d{2}([.,]\d{1,9})?)?)?)?$"
_ISO_ZONED = (
    r"^\d{4}-\d{2}-\d{2}[T ]\d{2}(:\d{2}(:\d{2}([.,]\d{1,9})?)?)? ?(Z|z|UTC|[+-]\d{2}(:?\d{2})?)$"
)
_WHOLE = r"^(\d{9,18}|[1-8]\d{18})$"  # as much as 64 bits hold
_FRACTION = r"^\d{9,19}\.\d+$"


@dataclass(frozen=True)
class ReadTimes:
    """A column of instants.

    Attributes
    ----------
    us : numpy.ndarray of int64, shape (rows,)
        Microseconds UTC; 0 where there is none.
    missing, bad : numpy.ndarray of bool
        Nothing is written there; what is written cannot be read.
    ambiguous, moved : numpy.ndarray of bool
        The time occurs twice (the first is meant); the time never was (moved forward).
    """

    us: Instants
    missing: Mask
    bad: Mask
    ambiguous: Mask
    moved: Mask


def lag_us(text: str) -> int:
    """Return how long a lag such as ``2d`` is, in microseconds.

    Parameters
    ----------
    text : str
        A whole number of seconds, minutes, hours, days or weeks: ``90s``, ``15m``, ``36h``, ``2d``,
        ``1w``. Days are of 86,400 s.

    Raises
    ------
    InvalidRequest
        If it is something else, or longer than a century.

    Examples
    --------
    >>> lag_us("2d") == 2 * DAY_US, lag_us("36h") == 36 * 3_600_000_000
    (True, True)
    """
    found = _LAG.fullmatch(text.strip())
    if found is None:
        raise InvalidRequest(
            f"'{text}' is no lag.", hint="Write a number and s, m, h, d or w: 90s, 36h, 2d."
        )
    lag = int(found[1]) * _LAG_SECONDS[found[2]] * 1_000_000
    if lag > _LONGEST_LAG:
        raise InvalidRequest(f"'{text}' is longer than a century.", hint="Check number and unit.")
    return lag


def local_to_utc(local: Instants, timezone: str) -> tuple[Instants, Mask, Mask]:
    """Turn shop-local wall-clock times into instants.

    Parameters
    ----------
    local : numpy.ndarray of int64
        Microseconds of the wall clock, as if it were UTC.
    timezone : str
        IANA zone.

    Returns
    -------
    instants, ambiguous, moved : numpy.ndarray
        Microseconds UTC; where a time occurs twice; where it never was.

    Examples
    --------
    >>> wall = np.array([to_us(datetime(2026, 3, 29, 1, 30, tzinfo=UTC))])
    >>> instants, _, moved = local_to_utc(wall, "Europe/London")
    >>> from_us(instants[0]).isoformat(), bool(moved[0])
    ('2026-03-29T01:30:00+00:00', True)
    """
    nothing = np.zeros(len(local), bool)
    if not len(local):
        return local, nothing, nothing
    changes = _changes_around(timezone, int(local.min()), int(local.max()))
    instants = local - changes[0][1]
    ambiguous, moved = nothing.copy(), nothing.copy()
    for when, old, new in changes[1:]:
        instants = np.where(local >= when + max(old, new), local - new, instants)
        inside = (local >= when + min(old, new)) & (local < when + max(old, new))
        (moved if new > old else ambiguous)[inside] = True
    return instants, ambiguous, moved


def _changes_around(timezone: str, first: int, last: int) -> list[tuple[int, int, int]]:
    """List when a zone's offset changes, with the offsets before and after; first, the start."""
    years = [min(max(1970 + us // _YEAR_US, 1971), 2199) for us in (first, last)]
    around = range(years[0] - 1, years[1] + 2)
    start = to_us(datetime(around[0], 1, 1, tzinfo=UTC))
    offset = _offset(ZoneInfo(timezone), start)
    found = [change for year in around for change in _changes(timezone, year)]
    return [(start, offset, offset), *found]


@lru_cache(maxsize=4096)
def _changes(timezone: str, year: int) -> tuple[tuple[int, int, int], ...]:
    """List the changes of one year (of UTC), each found to the second."""
    zone = ZoneInfo(timezone)
    start, end = (to_us(datetime(each, 1, 1, tzinfo=UTC)) for each in (year, year + 1))
    changes = []
    for first, last in pairwise([*range(start, end, DAY_US), end]):
        before, after = _offset(zone, first), _offset(zone, last)
        if before != after:
            seconds = range(first // 1_000_000 + 1, last // 1_000_000 + 1)
            place = bisect_left(
                seconds, 1, key=lambda second: _offset(zone, second * 1_000_000) != before
            )
            changes.append((seconds[place] * 1_000_000, before, after))
    return tuple(changes)


def _offset(zone: ZoneInfo, instant: int) -> int:
    offset = from_us(instant).astimezone(zone).utcoffset()
    assert offset is not None
    return offset // timedelta(microseconds=1)


def read_times(column: pa.ChunkedArray, timezone: str, *, pattern: str | None = None) -> ReadTimes:
    """Read a column of instants, whatever its type.

    Parameters
    ----------
    column : pyarrow.ChunkedArray
        Timestamps, dates, text or numbers. A number is the time since 1970-01-01 UTC, in seconds
        below 1e11, milliseconds below 1e14, microseconds below 1e17, else nanoseconds; before the
        year 2000 it is taken for something else, and bad.
    timezone : str
        The shop's zone, for times that name none.
    pattern : str, optional
        How text is written, as ``strptime`` has it; ISO 8601 otherwise.

    Examples
    --------
    >>> column = pa.chunked_array([["2026-11-21T08:00:00Z", "1795248000", "soon", None]])
    >>> read = read_times(column, "UTC")
    >>> [from_us(us).isoformat() for us in read.us[:2]]
    ['2026-11-21T08:00:00+00:00', '2026-11-21T08:00:00+00:00']
    >>> read.bad.tolist(), read.missing.tolist()
    ([False, False, True, False], [False, False, False, True])
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return _from_timestamps(column, timezone)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        if pattern is None:
            return _from_numbers(column)
        column = column.cast(pa.int64(), safe=False)
    return _from_text(column.cast(pa.string()), timezone, pattern)


def _result(us: Instants, missing: Mask, bad: Mask | None = None) -> ReadTimes:
    none = np.zeros(len(us), bool)
    bad = none if bad is None else bad
    return ReadTimes(np.where(missing | bad, 0, us), missing, bad, none, none)


def _from_timestamps(column: pa.ChunkedArray, timezone: str) -> ReadTimes:
    zoned = pa.types.is_timestamp(column.type) and column.type.tz is not None
    missing = _mask(column.is_null())
    us = _numbers(column.cast(pa.timestamp("us", tz="UTC" if zoned else None), safe=False), 0)
    if zoned:
        return _result(us, missing)
    known = ~missing
    instants, ambiguous, moved = np.zeros(len(us), np.int64), ~known & False, ~known & False
    instants[known], ambiguous[known], moved[known] = local_to_utc(us[known], timezone)
    return ReadTimes(instants, missing, np.zeros(len(us), bool), ambiguous, moved)


def _from_numbers(column: pa.ChunkedArray) -> ReadTimes:
    values = column.cast(pa.float64(), safe=False).to_numpy()
    missing = np.isnan(values)
    whole = (
        _numbers(column, 0)
        if pa.types.is_integer(column.type)
        else np.nan_to_num(values, posinf=0, neginf=0).astype(np.int64)
    )
    size = np.abs(values, where=~missing, out=np.zeros(len(values)))
    with np.errstate(over="ignore", invalid="ignore"):
        us = np.select(
            [size < 1e11, size < 1e14, size < 1e17],
            [np.where(missing, 0, size * 1e6).astype(np.int64), whole * 1000, whole],
            whole // 1000,
        )
    us = np.where(size < 1e11, np.round(np.minimum(size, 1e11) * 1e6).astype(np.int64), us)
    return _result(us, missing, ~missing & (us < _EPOCH_FROM))


def _from_text(column: pa.ChunkedArray, timezone: str, pattern: str | None) -> ReadTimes:
    text = pc.utf8_trim_whitespace(column)
    missing = _mask(pc.or_kleene(text.is_null(), pc.equal(pc.fill_null(text, ""), "")))
    read = _result(np.zeros(len(text), np.int64), missing, ~missing)
    if pattern is not None:
        parsed = pc.strptime(text, format=pattern, unit="us", error_is_null=True)
        fits = _mask(parsed.is_valid()) & ~_carried_over(text, parsed, pattern)
        return _merge(read, _from_timestamps(parsed, timezone), fits)
    for shape, reader in _SHAPES.items():
        fits = _mask(pc.fill_null(pc.match_substring_regex(text, shape), False))
        if fits.any():
            part = reader(text.filter(pa.array(fits)), timezone)
            unread = replace(part, missing=part.missing & False, bad=part.bad | part.missing)
            read = _merge(read, unread, fits)
    return read


def _carried_over(text: pa.ChunkedArray, parsed: pa.ChunkedArray, pattern: str) -> Mask:
    """Tell where a day that is none was carried into the next month: 30 February as 2 March."""
    soon = pc.less_equal(pc.day(parsed), 3)
    doubtful = _mask(pc.fill_null(pc.and_(soon, pc.match_substring_regex(text, "29|3[01]")), False))
    found = np.zeros(len(text), bool)
    found[doubtful] = [
        not _exists(value, pattern) for value in text.filter(pa.array(doubtful)).to_pylist()
    ]
    return found


@lru_cache(maxsize=4096)
def _exists(text: str, pattern: str) -> bool:
    try:
        datetime.strptime(text, pattern)  # noqa: DTZ007 # only the day is asked for
    except ValueError as error:
        return "directive" in str(error)  # one that only Arrow knows
    return True


def _merge(whole: ReadTimes, part: ReadTimes, place: Mask) -> ReadTimes:
    """Put what was read of some rows into the whole column."""
    full = len(part.us) == len(place)
    merged = []
    for name in ("us", "missing", "bad", "ambiguous", "moved"):
        values = getattr(whole, name).copy()
        found = getattr(part, name)
        values[place] = found[place] if full else found
        merged.append(values)
    return ReadTimes(*merged)


def _cast(text: pa.ChunkedArray, zone: str | None) -> pa.ChunkedArray:
    """Read ISO text; what only looks like it (30 February) becomes null."""
    wanted = pa.timestamp("us", tz=zone)
    text = pc.replace_substring(text, ",", ".")
    if zone is not None:
        text = pc.replace_substring_regex(text, r" ?(Z|z|UTC)$", "Z")
    try:
        return text.cast(wanted)
    except pa.ArrowInvalid:
        return pa.chunked_array(
            [pa.array([_one(value) for value in text.to_pylist()], pa.int64()).view(wanted)]
        )


def _one(text: str) -> int | None:
    """Return an instant, or the wall clock's as if it were UTC, as microseconds."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return to_us(read if read.tzinfo is not None else read.replace(tzinfo=UTC))


def _mask(array: pa.ChunkedArray) -> Mask:
    return np.asarray(array.to_numpy(), dtype=bool)


_SHAPES: dict[str, Callable[[pa.ChunkedArray, str], ReadTimes]] = {
    _ISO: lambda some, zone: _from_timestamps(_cast(some, None), zone),
    _ISO_ZONED: lambda some, zone: _from_timestamps(_cast(some, "UTC"), zone),
    _WHOLE: lambda some, _zone: _from_numbers(some.cast(pa.int64())),
    _FRACTION: lambda some, _zone: _from_numbers(some.cast(pa.float64())),
}


def _numbers(column: pa.ChunkedArray, empty: int) -> Instants:
    return np.asarray(
        pc.fill_null(column.cast(pa.int64(), safe=False), empty).to_numpy(), dtype=np.int64
    )
