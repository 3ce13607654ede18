"""When something happened and when it was known: each rule of docs/events.md, through the door."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from churnguard.clock import iso
from churnguard.errors import InvalidRequest, SchemaError
from churnguard.events.times import lag_us
from churnguard.jobs.ingest import ingest
from churnguard.jobs.quarantine import replay
from churnguard.testing import fake_shop

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def shop():
    """A shop in Jerusalem whose clock stands at noon UTC."""
    return replace(fake_shop(), clock=lambda: NOW)


def written(folder, text, name="events.csv"):
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def clocks(shop):
    """Return occurred_at, received_at and clock of the only event."""
    (row,) = shop.events.history().to_pylist()
    return iso(row["occurred_at"]), iso(row["received_at"]), row["clock"]


RULES = {
    "a zone is obeyed": ("2026-06-01T10:00+02:00", "2026-06-01T08:00:00Z"),
    "UTC is obeyed": ("2026-06-01T10:00:00Z", "2026-06-01T10:00:00Z"),
    "no zone is the shop's": ("2026-06-01 10:00", "2026-06-01T07:00:00Z"),
    "a date is shop-local midnight": ("2026-06-01", "2026-05-31T21:00:00Z"),
    "epoch seconds": ("1780300800", "2026-06-01T08:00:00Z"),
    "epoch milliseconds": ("1780300800000", "2026-06-01T08:00:00Z"),
    "epoch microseconds": ("1780300800000000", "2026-06-01T08:00:00Z"),
    "epoch nanoseconds": ("1780300800000000000", "2026-06-01T08:00:00Z"),
    "a time that never was moves forward": ("2026-03-27 02:30", "2026-03-27T00:30:00Z"),
    "a time that was twice is the first": ("2026-10-25 01:30", "2026-10-24T22:30:00Z"),
    "a day ahead at most": ("2026-11-22T11:59:59Z", "2026-11-22T11:59:59Z"),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_time_is_read_by_its_rule(shop, tmp_path, rule):
    """Whatever way it is written, the second clock is assumed to be the first."""
    written_as, meant = RULES[rule]
    text = f"customer_id,event,occurred_at\nA,signed_in,{written_as}\n"
    assert ingest(shop, [written(tmp_path, text)]).accepted == 1
    assert clocks(shop) == (meant, meant, "assumed")


REFUSED = {
    "too far ahead": ("2026-11-22T12:00:01Z", "future_time"),
    "before 1990": ("1989-12-31T23:59:59Z", "bad_time"),
    "a date as a number": ("20261121", "bad_time"),
    "no such day": ("2026-02-30", "bad_time"),
    "day and month in no stated order": ("01/06/2026", "bad_time"),
    "nothing": ("", "missing_time"),
}


@pytest.mark.parametrize("rule", REFUSED)
def test_a_time_that_is_none_is_set_aside(shop, tmp_path, rule):
    written_as, reason = REFUSED[rule]
    text = f"customer_id,event,occurred_at\nA,signed_in,{written_as}\n"
    assert ingest(shop, [written(tmp_path, text)]).reasons == {reason: 1}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("36h", 129_600), ("2d", 172_800), ("1w", 604_800), (" 0 d ", 0)],
)
def test_a_lag_is_a_number_and_a_unit(text, seconds):
    assert lag_us(text) == seconds * 1_000_000


@pytest.mark.parametrize("text", ["", "2", "d", "-1d", "1.5d", "2 days", "1d12h", "1y"])
def test_another_text_is_no_lag(text):
    with pytest.raises(InvalidRequest, match="is no lag"):
        lag_us(text)


class TestKnownLag:
    TEXT = "customer_id,event,occurred_at\nA,signed_in,2026-06-01T08:00:00Z\n"

    def test_the_option_says_when_a_backfill_was_known(self, shop, tmp_path):
        ingest(shop, [written(tmp_path, self.TEXT)], known_lag="2d")
        assert clocks(shop) == ("2026-06-01T08:00:00Z", "2026-06-03T08:00:00Z", "assumed")

    def test_option_before_mapping_before_setting(self, shop, tmp_path):
        """The nearest to the file counts."""
        mapping = written(tmp_path, 'extends = "events"\nknown_lag = "3h"\n', "own.toml")
        slow = replace(shop, settings=shop.settings.model_copy(update={"known_lag_seconds": 60}))
        given = {
            "2026-06-01T08:01:00Z": {},
            "2026-06-01T11:00:00Z": {"mapping": mapping},
            "2026-06-02T08:00:00Z": {"mapping": mapping, "known_lag": "1d"},
        }
        for received, how in given.items():
            fresh = replace(slow, events=fake_shop().events)
            ingest(fresh, [written(tmp_path, self.TEXT)], **how)
            assert clocks(fresh)[1] == received

    def test_a_row_that_says_when_is_believed(self, shop, tmp_path):
        text = (
            "customer_id,event,occurred_at,received_at\n"
            "A,signed_in,2026-06-01T08:00:00Z,2026-06-09T08:00:00Z\n"
        )
        ingest(shop, [written(tmp_path, text)], known_lag="2d")
        assert clocks(shop) == ("2026-06-01T08:00:00Z", "2026-06-09T08:00:00Z", "true")

    def test_another_lag_afterwards_changes_nothing(self, shop, tmp_path):
        """An event is stored once for ever."""
        file = written(tmp_path, self.TEXT)
        ingest(shop, [file], known_lag="2d")
        assert ingest(shop, [file], known_lag="5d").duplicates == 1
        assert clocks(shop)[1] == "2026-06-03T08:00:00Z"

    def test_a_replay_keeps_the_lag(self, shop, tmp_path):
        """A row that was set aside is read again as it was read the first time."""
        text = "customer_id,event,occurred_at\nA,signed_in,2026-11-23T08:00:00Z\n"
        assert ingest(shop, [written(tmp_path, text)], known_lag="2d").quarantined == 1
        later = replace(shop, clock=lambda: datetime(2026, 12, 1, tzinfo=UTC))
        assert replay(later).accepted == 1
        assert clocks(later)[1] == "2026-11-25T08:00:00Z"

    def test_it_is_refused_where_it_means_nothing(self, shop, tmp_path):
        file = written(tmp_path, "customer_id\nA\n")
        with pytest.raises(InvalidRequest, match="no lag"):
            ingest(shop, [file], kind="customers", known_lag="2d")
        with pytest.raises(InvalidRequest, match="'soon' is no lag"):
            ingest(shop, [written(tmp_path, self.TEXT)], known_lag="soon")
        mapping = written(tmp_path, 'extends = "events"\nknown_lag = "soon"\n', "own.toml")
        with pytest.raises(SchemaError, match="known_lag"):
            ingest(shop, [written(tmp_path, self.TEXT)], mapping=mapping)
        assert len(shop.events.history()) == 0


def test_an_order_is_known_with_its_last_line(shop, tmp_path):
    """Its value is the sum of its lines, so it cannot have been known before all of them."""
    text = (
        "order_id,customer_id,ordered_at,received_at,product_id,price\n"
        "1,A,2026-06-01T08:00:00Z,2026-06-01T08:00:00Z,p1,10\n"
        "1,A,2026-06-01T08:00:00Z,2026-06-04T08:00:00Z,p2,5\n"
    )
    ingest(shop, [written(tmp_path, text)], preset="order-lines")
    (order,) = (r for r in shop.events.history().to_pylist() if r["event"] == "order_completed")
    assert order["value"] == 15.0
    assert iso(order["occurred_at"]) == "2026-06-01T08:00:00Z"
    assert iso(order["received_at"]) == "2026-06-04T08:00:00Z"
