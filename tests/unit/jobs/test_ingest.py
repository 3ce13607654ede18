"""Files go in by every shape; every row is accounted for; what does not fit stores nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnguard.clock import to_us
from churnguard.errors import DataError, SchemaError
from churnguard.jobs.ingest import ingest
from churnguard.store.database import open_database
from churnguard.store.events import SqlEventStore
from churnguard.testing import NOON, build_events, fake_shop


@pytest.fixture
def shop(tmp_path):
    engine = open_database("sqlite:///shop.db", root=tmp_path)
    yield replace(fake_shop(), events=SqlEventStore(engine, tmp_path / "events"))
    engine.dispose()


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def stored(shop, *columns):
    """Return the log as rows of some columns, sorted."""
    rows = shop.events.history().select(columns).to_pylist()
    return sorted((tuple(row[name] for name in columns) for row in rows), key=str)


def counts(report):
    return (report.rows, report.accepted, report.duplicates, report.conflicts, report.quarantined)


LINES = """order_id,customer_id,ordered_at,sku,qty,price
1,A,2026-01-02 10:01,X,2,1.10
1,A,2026-01-02 10:00,Y,1,0.30
1,A,2026-01-02 10:00,Y,1,0.30
2,B,2026-01-03,X,1,1.10
2,C,2026-01-03,X,1,1.10
"""


class TestShapes:
    def test_the_canonical_table_comes_back_as_it_was_written(self, shop, tmp_path):
        """As Parquet, what the simulator writes is what the store holds."""
        events = build_events([{"quantity": 2}, {"event": "signed_in", "value": None}])
        pq.write_table(events, tmp_path / "events.parquet")
        report = ingest(shop, [tmp_path / "events.parquet"])
        assert counts(report) == (2, 2, 0, 0, 0)
        assert shop.events.history().to_pylist() == events.to_pylist()

    def test_the_same_events_as_text_are_duplicates(self, shop, tmp_path):
        """CSV, JSON lines and Parquet of one table are one set of events."""
        events = build_events(
            [{"quantity": 2, "value": 12.5}, {"event": "signed_in", "value": None}]
        )
        pq.write_table(events, tmp_path / "events.parquet")
        frame = events.to_pandas()
        frame.to_csv(tmp_path / "events.csv", index=False)
        frame.to_json(tmp_path / "events.jsonl", orient="records", lines=True, date_format="iso")
        files = [tmp_path / f"events.{ending}" for ending in ("parquet", "csv", "jsonl")]
        report = ingest(shop, files)
        assert [counts(file) for file in report.files] == [(2, 2, 0, 0, 0)] + [(2, 0, 2, 0, 0)] * 2

    def test_an_order_is_one_event(self, shop, tmp_path):
        file = write(
            tmp_path, "o.csv", "order_id,uid,date,total\n7,A,2026-01-02,12.5\n,A,2026-01-02,\n"
        )
        report = ingest(shop, [file], preset="orders")
        assert counts(report) == (2, 2, 0, 0, 0)
        rows = stored(shop, "event", "order_id", "value")
        assert rows == [
            ("order_completed", "7", 12.5),
            ("order_completed", None, None),
        ]
        assert counts(ingest(shop, [file], preset="orders")) == (2, 0, 2, 0, 0)

    def test_lines_become_an_order_and_its_lines(self, shop, tmp_path):
        """The order is the sum of its lines, a line that is there twice counts once."""
        report = ingest(shop, [write(tmp_path, "l.csv", LINES)], preset="order-lines")
        assert counts(report) == (5, 4, 1, 0, 0)
        assert report.events == {"order_completed": 3, "product_ordered": 4}
        assert stored(shop, "event", "customer_id", "order_id", "value", "quantity") == [
            ("order_completed", "A", "1", 2.5, 3),
            ("order_completed", "B", "2", 1.1, 1),
            ("order_completed", "C", "2", 1.1, 1),
            ("product_ordered", "A", "1", 0.3, 1),
            ("product_ordered", "A", "1", 2.2, 2),
            ("product_ordered", "B", "2", 1.1, 1),
            ("product_ordered", "C", "2", 1.1, 1),
        ]
        order = shop.events.events_of(["A"]).to_pylist()[0]
        assert (order["event"], order["event_id"]) == ("order_completed", "order_completed:1:A")
        lines = shop.events.events_of(["A"]).to_pylist()[1:]
        assert all(line["event_id"].startswith("order_completed:1:A#") for line in lines)

    def test_an_order_seen_again_with_another_line_is_a_conflict(self, shop, tmp_path):
        """The known line is a duplicate, the new one a conflict: the order stays the sum."""
        ingest(shop, [write(tmp_path, "l.csv", LINES)], preset="order-lines")
        more = f"{LINES.splitlines()[0]}\n2,B,2026-01-03,X,1,1.10\n2,B,2026-01-03,Z,1,9\n"
        report = ingest(shop, [write(tmp_path, "more.csv", more)], preset="order-lines")
        assert counts(report) == (2, 0, 1, 1, 0)
        assert report.events == {}
        assert len(shop.events.conflicts()) == 2

    def test_line_numbers_keep_identical_lines_apart(self, shop, tmp_path):
        header = "order_id,line_id,customer_id,ordered_at,sku,qty,price"
        text = f"{header}\n1,1,A,2026-01-02,X,1,2\n1,2,A,2026-01-02,X,1,2\n"
        report = ingest(shop, [write(tmp_path, "l.csv", text)], preset="order-lines")
        assert counts(report) == (2, 2, 0, 0, 0)
        assert ("order_completed", 4.0) in stored(shop, "event", "value")

    def test_customers_go_into_the_book(self, shop, tmp_path):
        """Consent that is not written is unknown; the book takes changes and counts the rest."""
        text = "customer_id,created_at,consent_email,exclude\nA,2026-01-02,yes,\nB,,,1\n,,,\n"
        file = write(tmp_path, "c.csv", text)
        assert counts(ingest(shop, [file], kind="customers")) == (3, 2, 0, 0, 1)
        book = shop.events.customers().to_pylist()
        assert [(row["customer_id"], row["consent_email"], row["exclude"]) for row in book] == [
            ("A", True, None),
            ("B", None, True),
        ]
        file.write_text(text.replace("yes", "no"))
        assert counts(ingest(shop, [file], kind="customers")) == (3, 1, 1, 0, 1)
        assert shop.events.customers(["A"])["consent_email"].to_pylist() == [False]


class TestClocks:
    def test_files_assume_when_we_were_told(self, shop, tmp_path):
        lag = shop.settings.model_copy(update={"known_lag_seconds": 3600})
        file = write(tmp_path, "o.csv", "uid,date\nA,2026-01-02T10:00:00Z\n")
        ingest(replace(shop, settings=lag), [file], preset="orders")
        (row,) = shop.events.history().to_pylist()
        assert row["clock"] == "assumed"
        assert to_us(row["received_at"]) - to_us(row["occurred_at"]) == 3_600_000_000

    def test_a_file_that_says_when_is_believed(self, shop, tmp_path):
        text = "uid,date,received_at\nA,2026-01-02,2026-01-05\nB,2026-01-02,\n"
        ingest(shop, [write(tmp_path, "o.csv", text)], preset="orders")
        assert stored(shop, "customer_id", "clock") == [("A", "true"), ("B", "assumed")]

    def test_odd_local_times_are_counted(self, shop, tmp_path):
        """The shop is in Jerusalem: one time never was, one occurred twice."""
        text = "uid,date\nA,2026-03-27 02:30\nB,2026-10-25 01:30\nC,2026-06-01 01:30\n"
        report = ingest(shop, [write(tmp_path, "o.csv", text)], preset="orders")
        assert (report.to_dict()["moved_times"], report.to_dict()["ambiguous_times"]) == (1, 1)


BAD_FILES = {
    "wrong.csv": ("order,buyer,when\n1,A,2026-01-02\n", SchemaError, "no column 'customer_id'"),
    "empty.csv": ("", DataError, "is empty"),
    "rows.docx": ("x", SchemaError, "no reader knows"),
    "cut.parquet": ("PAR1", DataError, "no whole Parquet file"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_does_not_fit_stores_nothing(shop, tmp_path, name):
    text, error, says = BAD_FILES[name]
    with pytest.raises(error, match=says):
        ingest(shop, [write(tmp_path, name, text)], preset="orders")
    assert shop.events.history().num_rows == 0
    assert shop.events.quarantine_counts() == {}


def test_a_workbook_with_one_bad_sheet_stores_nothing(shop, tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    for row in (["customer_id", "date"], ["A", "2026-01-02"]):
        book.active.append(row)
    book.create_sheet("Notes").append(["to do"])
    book.save(tmp_path / "o.xlsx")
    with pytest.raises(SchemaError, match="Notes"):
        ingest(shop, [tmp_path / "o.xlsx"], preset="orders")
    assert shop.events.history().num_rows == 0


def test_a_header_without_rows_is_fine(shop, tmp_path):
    for preset in ("events", "orders", "order-lines"):
        header = "customer_id,occurred_at,event,order_id,product_id\n"
        report = ingest(shop, [write(tmp_path, "o.csv", header)], preset=preset)
        assert counts(report) == (0, 0, 0, 0, 0)


def test_own_mapping_with_constants_pattern_and_kept_columns(shop, tmp_path):
    mapping = write(
        tmp_path,
        "mine.toml",
        'shape = "orders"\nkeep = ["Source Id"]\ntime_format = "%d.%m.%Y"\ndecimal = ","\n'
        'columns = { customer_id = "Uid", occurred_at = "Day", value = "Sum" }\n'
        'constants = { event = "order_refunded" }\n',
    )
    file = write(tmp_path, "o.csv", "Uid;Day;Sum;Source Id;Unused\n007;21.11.2025;1,50;3;x\n")
    report = ingest(shop, [file], mapping=mapping)
    (row,) = shop.events.history().to_pylist()
    assert (row["event"], row["customer_id"], row["value"]) == ("order_refunded", "007", 1.5)
    assert row["properties"] == '{"source_id":"3"}'
    assert report.files[0].ignored_columns == ("Unused",)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"preset": "nothing"}, "no preset 'nothing'"),
        ({"kind": "people"}, "no kind 'people'"),
        ({"kind": "customers", "preset": "orders"}, "maps orders"),
        ({"preset": "customers"}, "maps customers"),
    ],
)
def test_what_cannot_be_asked_is_said(shop, tmp_path, asked, says):
    with pytest.raises(SchemaError, match=says):
        ingest(shop, [write(tmp_path, "o.csv", "a\n1\n")], **asked)


def test_progress_is_told_and_the_report_is_json_ready(shop, tmp_path):
    import orjson

    told = []
    file = write(tmp_path, "l.csv", LINES)
    report = ingest(shop, [file], preset="order-lines", progress=lambda *step: told.append(step))
    assert told == [("l.csv", 0, 5), ("l.csv", 5, 5)]
    values = orjson.loads(orjson.dumps(report.to_dict()))
    assert values["accepted"] == values["files"][0]["accepted"] == 4


def test_the_clock_decides_what_is_the_future(shop, tmp_path):
    file = write(tmp_path, "o.csv", f"uid,date\nA,{NOON.year + 1}-01-01\n")
    assert ingest(shop, [file], preset="orders").reasons == {"future_time": 1}
    later = replace(shop, clock=lambda: NOON.replace(year=NOON.year + 2))
    assert ingest(later, [file], preset="orders").accepted == 1


def test_columns_of_any_type_are_read(shop, tmp_path):
    """Floats as ids lose their point, dictionaries and decimals are read as what they say."""
    from decimal import Decimal

    table = pa.table(
        {
            "customer_id": pa.array([13085.0, 13086.0]),
            "date": pa.array([1767225600, 1767225600000]),
            "total": pa.array([Decimal("1.50"), None]),
            "currency": pa.array(["ILS", "ILS"]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "o.parquet")
    ingest(shop, [tmp_path / "o.parquet"], preset="orders")
    assert stored(shop, "customer_id", "occurred_at")[0][0] == "13085"
    assert len({row[0] for row in stored(shop, "occurred_at")}) == 1
