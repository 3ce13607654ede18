"""A real shop's two sheets go in by stated rules; ``docs/events.md`` tells these very counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from churnguard.jobs.ingest import ingest
from churnguard.jobs.quarantine import replay
from churnguard.store.database import open_database
from churnguard.store.events import SqlEventStore
from churnguard.testing import fake_shop

pytestmark = pytest.mark.data

SHEETS = ("year_2009_2010.parquet", "year_2010_2011.parquet")
REASONS = {
    "bad_debt_adjustment": 5,
    "bookkeeping": 265,
    "missing_customer": 162_899,
    "stock_correction": 2_414,
    "test_product": 6,
    "zero_price": 1_969,
}
EVENTS = {
    "charge_ordered": 1_949,
    "charge_returned": 543,
    "order_completed": 26_122,
    "order_refunded": 5_454,
    "product_ordered": 551_483,
    "product_returned": 12_232,
}
CUSTOMERS = 4_157


def open_shop(folder):
    folder.mkdir(exist_ok=True)
    engine = open_database("sqlite:///shop.db", root=folder)
    shop = fake_shop()
    settings = shop.settings.model_copy(update={"timezone": "Europe/London", "currency": "GBP"})
    return replace(shop, settings=settings, events=SqlEventStore(engine, folder / "events"))


@pytest.fixture(scope="module")
def history(whole):
    """The log after the first ingest, which exported it."""
    shop, _, _ = whole
    return shop.events.history()


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data_dir):
    """Both sheets in one shop, with what the first ingest told."""
    shop = open_shop(tmp_path_factory.mktemp("retail"))
    files = [data_dir / "online_retail_ii" / name for name in SHEETS]
    yield shop, files, ingest(shop, files, preset="online-retail")
    shop.events._engine.dispose()


def test_every_row_of_both_sheets_is_accounted_for(whole):
    _, _, told = whole
    assert told.rows == 752_745
    assert (told.accepted, told.duplicates, told.conflicts) == (566_207, 18_980, 0)
    assert told.quarantined == 167_558
    assert (told.reasons, told.events) == (REASONS, EVENTS)
    for file in told.files:
        parts = file.accepted + file.duplicates + file.conflicts + file.quarantined
        assert parts == file.rows == sum(file.reasons.values()) + parts - file.quarantined


def test_the_store_holds_what_was_told(whole):
    shop, _, _ = whole
    assert dict(shop.events.event_counts()) == EVENTS
    assert dict(shop.events.quarantine_counts()) == REASONS
    assert shop.events.data_through().isoformat() == "2011-12-09T12:50:00+00:00"


def test_the_money_is_that_of_the_published_rows(whole, history):
    """Orders less refunds are the rows' quantity times price, computed from the raw files."""
    _, files, _ = whole
    sums = {
        name: pc.sum(history.filter(pc.equal(history["event"], name))["value"]).as_py()
        for name in EVENTS
    }
    assert sums["order_completed"] == pytest.approx(
        sums["product_ordered"] + sums["charge_ordered"]
    )
    assert sums["order_refunded"] == pytest.approx(
        sums["product_returned"] + sums["charge_returned"]
    )
    rows = pa.concat_tables([pq.read_table(file) for file in files])
    rows = rows.filter(pc.is_valid(rows["Customer ID"])).to_pandas().drop_duplicates()
    codes = rows["StockCode"].str.upper()
    books = codes.str.fullmatch(r"TEST.*|BANK CHARGES|AMAZONFEE|ADJUST2?|CRUK|B|S")
    rows = rows[~books & ~rows["Invoice"].str.startswith("A")]
    money = np.round(rows["Quantity"] * rows["Price"], 4).sum()
    net = sums["order_completed"] - sums["order_refunded"]
    assert net == pytest.approx(money, abs=0.05)


def test_a_cancellation_is_a_refund_with_a_positive_value(history):
    """What was taken back counts up; the event's name carries the sign."""
    refunds = history.filter(pc.equal(history["event"], "order_refunded"))
    assert pc.all(pc.starts_with(refunds["order_id"], "C")).as_py()
    for name in ("order_refunded", "product_returned", "charge_returned"):
        mine = history.filter(pc.equal(history["event"], name))
        assert pc.min(mine["value"]).as_py() > 0
        assert pc.min(mine["quantity"]).as_py() >= 0


def test_a_sheet_again_brings_nothing(whole):
    shop, files, told = whole
    again = ingest(shop, files[:1], preset="online-retail")
    assert (again.accepted, again.conflicts, again.duplicates) == (0, 0, 294_623)
    assert again.reasons == told.files[0].reasons
    assert dict(shop.events.event_counts()) == EVENTS
    assert dict(shop.events.quarantine_counts()) == REASONS


def test_the_parquet_history_is_the_whole_log(whole, history, tmp_path):
    """All events and all customers stand in files; a customer's events are those of the store."""
    shop, _, _ = whole
    assert shop.events.export() == 0
    assert history.num_rows == sum(EVENTS.values())
    assert pc.count_distinct(history["customer_id"]).as_py() == CUSTOMERS
    mine = history.filter(pc.equal(history["customer_id"], "12748"))
    assert mine.to_pylist() == shop.events.events_of(["12748"]).to_pylist()


@pytest.fixture(scope="module")
def december(tmp_path_factory, data_dir):
    """The days round the overlap, as two files and as the workbook that UCI publishes."""
    folder = tmp_path_factory.mktemp("december")
    start, end = datetime(2010, 12, 7), datetime(2010, 12, 12)  # noqa: DTZ001 # as published
    book = openpyxl.Workbook(write_only=True)
    files = []
    for name, title in zip(SHEETS, ("Year 2009-2010", "Year 2010-2011"), strict=True):
        rows = pq.read_table(data_dir / "online_retail_ii" / name)
        times = rows["InvoiceDate"]
        rows = rows.filter(pc.and_(pc.greater(times, start), pc.less(times, end)))
        files.append(folder / name)
        pq.write_table(rows, files[-1])
        sheet = book.create_sheet(title)
        sheet.append(rows.column_names)
        for row in rows.to_pylist():
            numbered = row | {key: _as_excel(row[key]) for key in ("Invoice", "StockCode")}
            sheet.append(list(numbered.values()))
    book.save(folder / "online_retail_II.xlsx")
    return files, folder / "online_retail_II.xlsx"


def _as_excel(text):
    """Write digits as a number, as the published workbook does."""
    return int(text) if text.isdigit() else text


def log(shop):
    return sorted(map(str, shop.events.history().to_pylist()))


def test_one_command_two_commands_either_order_or_the_workbook_give_one_log(december, tmp_path):
    files, workbook = december
    ways = {
        "one": [files],
        "two": [[files[0]], [files[1]]],
        "turned": [[files[1]], [files[0]]],
        "book": [[workbook]],
    }
    logs, counts = {}, {}
    for way, commands in ways.items():
        shop = open_shop(tmp_path / way)
        told = [ingest(shop, command, preset="online-retail") for command in commands]
        logs[way] = log(shop)
        counts[way] = [
            sum(getattr(one, name) for one in told)
            for name in ("rows", "accepted", "duplicates", "conflicts", "quarantined")
        ]
        shop.events._engine.dispose()
    assert logs["one"]
    assert logs["two"] == logs["turned"] == logs["book"] == logs["one"]
    assert counts["two"] == counts["turned"] == counts["book"] == counts["one"]


def test_invoices_without_customer_can_be_mended(december, tmp_path):
    """Whoever can say who bought gets whole orders out of the quarantine."""
    files, _ = december
    shop = open_shop(tmp_path / "shop")
    ingest(shop, [files[1]], preset="online-retail")
    rows = shop.events.quarantined(reason="missing_customer")
    edits = {row.row_id: {"Customer ID": "99999"} for row in rows}
    told = replay(shop, edits=edits)
    assert told.rows == len(rows) > 0
    assert (told.conflicts, told.quarantined) == (0, 0)
    assert told.events["order_completed"] > 0
    assert shop.events.quarantined(reason="missing_customer") == []
    shop.events._engine.dispose()
