"""Events in codes, dated by month and day, go in whole; ``docs/events.md`` tells these counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnguard.clock import to_us
from churnguard.errors import SchemaError
from churnguard.events.mapping import mapping_of
from churnguard.events.timeline import Timeline
from churnguard.features.build import build_features
from churnguard.features.catalogue import Catalogue
from churnguard.features.coverage import carried_by
from churnguard.jobs.ingest import ingest
from churnguard.jobs.quarantine import replay
from churnguard.store.database import open_database
from churnguard.store.events import SqlEventStore
from churnguard.testing import fake_shop

EVENTS = {"product_viewed": 5_725, "order_completed": 367, "product_added_to_wishlist": 382}
CARRIED = {"browsing", "calendar", "lifetime", "orders", "rhythm", "tenure"}
COLUMNS = "user_id,item_id,cat_id,merchant_id,brand_id,Month,Day,action"
ROWS = [
    "7,1,10,100,1000,5,9,0",
    "7,1,10,100,1000,5,9,0",
    "7,1,10,100,,5,9,1",
    "8,2,10,100,1000,11,11,1",
    "8,2,10,100,1000,11,11,2",
    "8,2,10,100,1000,11,12,3",
    "8,2,10,100,1000,2,30,0",
    "8,2,10,100,1000,,3,0",
    "8,2,10,100,1000,6,3,9",
]


@pytest.fixture
def shop(tmp_path):
    yield from opened(tmp_path)


def opened(folder):
    engine = open_database("sqlite:///shop.db", root=folder)
    settings = fake_shop().settings.model_copy(update={"timezone": "Asia/Shanghai"})
    events = SqlEventStore(engine, folder / "events")
    yield replace(fake_shop(), settings=settings, events=events)
    engine.dispose()


@pytest.fixture(scope="module")
def sample(tmp_path_factory, data_dir):
    """The sample in a shop of its own: its file, what was told, and the log."""
    folder = tmp_path_factory.mktemp("tmall")
    for shop in opened(folder):
        file = data_dir / "tmall_sample" / "events.parquet"
        yield shop, file, ingest(shop, [file], preset="tmall"), shop.events.history()


def counts(report):
    return (report.rows, report.accepted, report.duplicates, report.conflicts, report.quarantined)


def written(folder, rows, name="events.csv"):
    file = folder / name
    file.write_text("\n".join([COLUMNS, *rows, ""]), encoding="utf-8")
    return file


@pytest.mark.data
def test_every_row_of_the_sample_is_an_event(sample):
    """Clicks, purchases and favourites, none lost; what is of no use is named."""
    _, _, told, log = sample
    assert counts(told) == (6_474, 6_474, 0, 0, 0)
    assert told.events == EVENTS
    assert told.files[0].ignored_columns == ("age_range", "gender", "province")
    assert Counter(log["event"].to_pylist()) == EVENTS
    assert len(set(log["customer_id"].to_pylist())) == 41


@pytest.mark.data
def test_the_sample_again_in_another_order_brings_nothing(sample, tmp_path):
    shop, file, _, log = sample
    rows = pq.read_table(file)
    turned = tmp_path / "turned.parquet"
    pq.write_table(rows.take(pa.array(np.random.default_rng(3).permutation(len(rows)))), turned)
    assert counts(ingest(shop, [turned], preset="tmall")) == (6_474, 0, 6_474, 0, 0)
    assert shop.events.history().num_rows == log.num_rows


@pytest.mark.data
def test_signals_of_browsing_and_orders_are_those_of_the_published_rows(sample):
    """Views of 30 days and orders so far, of every user, counted from the file itself."""
    _, file, _, log = sample
    timeline = Timeline.from_arrow(log)
    carried, left_out = carried_by(Catalogue.of(), [timeline])
    assert {found.family for found in carried.signals} == CARRIED
    assert set(left_out) >= {"carts", "searches", "logins", "service", "messages", "returns"}
    assert "no 'product_added' events" in left_out["carts"]
    assert "'order_completed' events have no 'value'" in left_out["orders"]
    codes = np.arange(len(timeline.customer_ids), dtype=np.int32)
    cutoff = to_us(datetime(2014, 11, 12, 16, tzinfo=UTC))  # the 13th in Shanghai
    rows = build_features(timeline, carried, codes, np.full(len(codes), cutoff))
    raw = pq.read_table(file).to_pandas()
    day = raw["month"].astype(int) * 100 + raw["day"]
    clicks = Counter(raw[(raw["action"] == 0) & (day > 1013)]["user_id"].astype(str))
    bought = Counter(raw[raw["action"] == 2]["user_id"].astype(str))
    for name, wanted in (("views_30d", clicks), ("orders_total", bought)):
        found = rows.values[:, rows.names.index(name)]
        assert found.tolist() == [wanted[user] for user in rows.customer_ids]
        assert found.max() > 10


def test_codes_parts_of_dates_and_repeated_rows_are_read_as_the_preset_says(shop, tmp_path):
    """A day that is none, a part that is empty and a code without a meaning are set aside."""
    told = ingest(shop, [written(tmp_path, ROWS)], preset="tmall")
    assert counts(told) == (9, 6, 0, 0, 3)
    assert told.reasons == {"bad_time": 1, "missing_time": 1, "bad_event": 1}
    assert told.events["product_viewed"] == told.events["product_added"] == 2
    log = shop.events.history().to_pylist()
    first = next(row for row in log if row["event"] == "product_added" and row["product_id"] == "1")
    assert first["occurred_at"] == datetime(2014, 5, 8, 16, tzinfo=UTC)
    assert first["received_at"] == datetime(2014, 5, 9, 16, tzinfo=UTC)
    assert (first["clock"], first["properties"]) == ("assumed", '{"merchant_id":"100"}')


def test_carts_are_worked_out_of_what_was_added(shop, tmp_path):
    """One was left; the other was bought on its day, which is all that a date can tell."""
    ingest(shop, [written(tmp_path, ROWS)], preset="tmall")
    timeline = Timeline.from_arrow(shop.events.history())
    carts = Catalogue.of(["carts"]).subset(["cart_streak"])
    cutoff = to_us(datetime(2014, 12, 1, tzinfo=UTC))
    codes = timeline.codes(["7", "8"])
    rows = build_features(timeline, carts, codes, np.full(2, cutoff))
    assert rows.values[:, 0].tolist() == [1.0, 0.0]


def test_rows_set_aside_can_be_mended_in_the_files_own_columns(shop, tmp_path):
    """The day and the code are put right where they stood; both become events."""
    ingest(shop, [written(tmp_path, ROWS)], preset="tmall")
    day, code = (
        shop.events.quarantined(reason=reason)[0].row_id for reason in ("bad_time", "bad_event")
    )
    told = replay(shop, edits={day: {"Day": "28"}, code: {"action": "3"}})
    assert told.events == {"product_viewed": 1, "product_added_to_wishlist": 1}
    assert dict(shop.events.quarantine_counts()) == {"missing_time": 1}


def test_only_as_many_repeated_rows_are_new_as_there_are_more_of(shop, tmp_path):
    """A file with the same click three times adds one to a file that had it twice."""
    ingest(shop, [written(tmp_path, ROWS[:2])], preset="tmall")
    told = ingest(shop, [written(tmp_path, [ROWS[0]] * 3, "more.csv")], preset="tmall")
    assert counts(told) == (3, 1, 2, 0, 0)


def test_a_column_missing_from_a_template_is_named(shop, tmp_path):
    file = tmp_path / "short.csv"
    file.write_text("user_id,action,month\n1,0,5\n", encoding="utf-8")
    with pytest.raises(SchemaError, match=r"no column 'day' \(the field occurred_at\)"):
        ingest(shop, [file], preset="tmall")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"join": {"when": "{month}"}}, "'when' is no field"),
        ({"join": {"occurred_at": "2014"}}, "names no column in braces"),
        ({"join": {"occurred_at": "{month"}}, "join"),
        ({"words": {"value": {"1": "2"}}}, "can be translated"),
    ],
)
def test_a_template_or_translation_that_cannot_be_meant_is_refused(values, says):
    with pytest.raises(SchemaError, match=says):
        mapping_of(values)
