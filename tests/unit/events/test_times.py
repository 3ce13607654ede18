"""Instants as shops write them become the instants that were meant."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from churnguard.clock import from_us, to_us
from churnguard.events.times import local_to_utc, read_times


def read_one(value, timezone="UTC", **how):
    """Read one value; return the instant, or what is wrong with it."""
    column = value if isinstance(value, pa.ChunkedArray) else pa.chunked_array([[value]])
    read = read_times(column, timezone, **how)
    if read.missing[0]:
        return "missing"
    return "bad" if read.bad[0] else from_us(read.us[0]).isoformat()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21", "2026-11-21T00:00:00+00:00"),
        ("2026-11-21 08:30", "2026-11-21T08:30:00+00:00"),
        ("2026-11-21T08:30:15.25", "2026-11-21T08:30:15.250000+00:00"),
        ("2026-11-21T08:30:15,25", "2026-11-21T08:30:15.250000+00:00"),
        ("2026-11-21T08:30:00Z", "2026-11-21T08:30:00+00:00"),
        ("2026-11-21 08:30:00 UTC", "2026-11-21T08:30:00+00:00"),
        ("2026-11-21T08:30:00+02:00", "2026-11-21T06:30:00+00:00"),
        ("2026-11-21T08:30-0530", "2026-11-21T14:00:00+00:00"),
        (" 2026-11-21 ", "2026-11-21T00:00:00+00:00"),
        ("1795248000", "2026-11-21T08:00:00+00:00"),
        ("1795248000000", "2026-11-21T08:00:00+00:00"),
        ("1795248000000000", "2026-11-21T08:00:00+00:00"),
        ("1795248000.5", "2026-11-21T08:00:00.500000+00:00"),
        ("2026-02-30", "bad"),
        ("2026-11-21T25:00", "bad"),
        ("21/11/2026", "bad"),
        ("20261121", "bad"),
        ("soon", "bad"),
        ("", "missing"),
        (None, "missing"),
    ],
)
def test_text_is_iso_or_epoch_by_its_size(text, expected):
    """A date is midnight, a number is an epoch by its magnitude, a guess is never made."""
    assert read_one(pa.chunked_array([pa.array([text], pa.string())])) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1795248000, "2026-11-21T08:00:00+00:00"),
        (1795248000123, "2026-11-21T08:00:00.123000+00:00"),
        (1795248000123456, "2026-11-21T08:00:00.123456+00:00"),
        (1795248000123456789, "2026-11-21T08:00:00.123456+00:00"),
        (1795248000.25, "2026-11-21T08:00:00.250000+00:00"),
        (20261121, "bad"),
        (-5, "bad"),
        (0, "bad"),
        (datetime(2026, 11, 21, 8, tzinfo=ZoneInfo("Asia/Jerusalem")), "2026-11-21T06:00:00+00:00"),
        (date(2026, 11, 21), "2026-11-21T00:00:00+00:00"),
    ],
)
def test_numbers_and_typed_times(value, expected):
    """Typed columns say what text says; a number before the year 2000 is no epoch."""
    assert read_one(value) == expected


def test_a_pattern_says_how_text_and_numbers_are_written():
    assert read_one("21.11.2026 08:30", pattern="%d.%m.%Y %H:%M") == "2026-11-21T08:30:00+00:00"
    assert read_one(2026112108, pattern="%Y%m%d%H") == "2026-11-21T08:00:00+00:00"
    assert read_one("11/21/2026", pattern="%d.%m.%Y") == "bad"


def test_a_day_that_is_none_is_bad_however_it_is_written():
    """It is not carried into the next month, in which a time may still hold a 30."""
    for text in ("30.02.2026 08:30", "29.2.2026 08:30", "31.04.2026 08:30", "31.9.2026 10:00"):
        assert read_one(text, pattern="%d.%m.%Y %H:%M") == "bad"
    for text in ("29.02.2024 08:30", "02.03.2026 08:30", "01.05.2026 10:31"):
        assert read_one(text, pattern="%d.%m.%Y %H:%M") == (
            datetime.strptime(text, "%d.%m.%Y %H:%M").replace(tzinfo=UTC).isoformat()
        )
    assert read_one("03/02/26 10:30", pattern="%D %R") == "2026-03-02T10:30:00+00:00"


ZONES = [
    "Europe/London", "Asia/Jerusalem", "America/New_York", "Australia/Lord_Howe", "Asia/Gaza",
    "Pacific/Apia", "Africa/Casablanca", "UTC",
]  # fmt: skip


@pytest.mark.parametrize("zone", ZONES)
def test_local_times_are_what_datetime_says(zone):
    """Two years of wall-clock times, gaps and overlaps included, equal Python's ``fold=0``."""
    start, end = datetime(2010, 12, 1, tzinfo=UTC), datetime(2012, 12, 1, tzinfo=UTC)
    wall = np.arange(to_us(start), to_us(end), 23 * 60_000_000)
    instants, _, _ = local_to_utc(wall, zone)
    expected = [
        to_us(from_us(us).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)) for us in wall.tolist()
    ]
    assert instants.tolist() == expected


@pytest.mark.parametrize(
    ("zone", "text", "expected", "ambiguous", "moved"),
    [
        ("Europe/London", "2026-10-25 01:30", "2026-10-25T00:30:00+00:00", True, False),
        ("Europe/London", "2026-10-25 00:59", "2026-10-24T23:59:00+00:00", False, False),
        ("Europe/London", "2026-10-25 02:00", "2026-10-25T02:00:00+00:00", False, False),
        ("Europe/London", "2026-03-29 01:30", "2026-03-29T01:30:00+00:00", False, True),
        ("Asia/Jerusalem", "2026-03-27 02:30", "2026-03-27T00:30:00+00:00", False, True),
        ("Asia/Jerusalem", "2026-10-25 01:30", "2026-10-24T22:30:00+00:00", True, False),
        ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04T14:45:00+00:00", True, False),
        ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30T22:00:00+00:00", False, True),
    ],
)
def test_clock_changes(zone, text, expected, ambiguous, moved):
    """The first of two occurrences; what never was is moved forward by the gap; both are marked."""
    read = read_times(pa.chunked_array([[text]]), zone)
    assert from_us(read.us[0]).isoformat() == expected
    assert (bool(read.ambiguous[0]), bool(read.moved[0])) == (ambiguous, moved)


def test_sentinels_at_the_ends_of_time_are_read_and_cost_nothing():
    """``9999-12-31`` and ``0001-01-02`` stand in real files: times, if not plausible ones."""
    read = read_times(pa.chunked_array([["9999-12-31 23:59:59", "0001-01-02"]]), "Europe/London")
    assert from_us(read.us[0]).year == 9999
    assert not read.bad.any()
