"""The quarantine keeps rows whole, and lets them go once they are mended."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from churnguard.errors import SchemaError
from churnguard.jobs.ingest import ingest
from churnguard.jobs.quarantine import list_quarantine, read_edits, replay
from churnguard.store.database import open_database
from churnguard.store.events import SqlEventStore
from churnguard.testing import fake_shop

ORDERS = """order_id,customer_id,date,total,currency
1,A,2026-01-01,10,ILS
2,,2026-01-02,20,ILS
3,C,2026-01-03,30,EUR
4,dana@example.com,2026-01-04,40,ILS
5,E,2026-01-05,50,ILS,what
"""


@pytest.fixture
def shop(tmp_path):
    engine = open_database("sqlite:///shop.db", root=tmp_path)
    yield replace(fake_shop(), events=SqlEventStore(engine, tmp_path / "events"))
    engine.dispose()


@pytest.fixture
def filled(shop, tmp_path):
    """A shop with one order, and four rows in quarantine."""
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    ingest(shop, [tmp_path / "orders.csv"], preset="orders")
    return shop


def reasons(shop):
    return list_quarantine(shop)["counts"]


ALL = {"missing_customer": 1, "other_currency": 1, "personal_data": 1, "broken_row": 1}


def test_rows_are_listed_whole_with_where_they_stood(filled):
    listed = list_quarantine(filled)
    assert listed["counts"] == ALL
    row = list_quarantine(filled, reason="other_currency")["rows"][0]
    assert (row["source"], row["row_number"]) == ("orders.csv", 3)
    assert row["payload"] == {
        "order_id": "3", "customer_id": "C", "date": "2026-01-03", "total": "30", "currency": "EUR",
    }  # fmt: skip
    assert len(list_quarantine(filled, limit=2)["rows"]) == 2


def test_no_mail_address_is_kept_anywhere(filled, tmp_path):
    """Not in the list, and not in a byte of the store."""
    filled.events._engine.dispose()
    for file in tmp_path.glob("shop.db*"):
        assert b"dana@" not in file.read_bytes()


def test_the_same_file_again_adds_nothing_to_the_quarantine(filled, tmp_path):
    report = ingest(filled, [tmp_path / "orders.csv"], preset="orders")
    assert (report.accepted, report.quarantined) == (0, 4)
    assert reasons(filled) == ALL


def test_a_replay_without_a_cause_mended_changes_nothing(filled):
    report = replay(filled)
    assert (report.rows, report.accepted, report.quarantined) == (4, 0, 4)
    assert reasons(filled) == ALL


def test_a_replay_after_the_setting_was_mended(filled):
    """Read as it was read before, the row is accepted now and leaves."""
    settings = filled.settings.model_copy(update={"currency": "EUR"})
    report = replay(replace(filled, settings=settings), reason="other_currency")
    assert (report.rows, report.accepted) == (1, 1)
    assert "other_currency" not in reasons(filled)
    assert filled.events.events_of(["C"])["value"].to_pylist() == [30.0]


def test_a_replay_by_another_mapping(filled, tmp_path):
    mapping = tmp_path / "mine.toml"
    mapping.write_text(
        'extends = "orders"\n[columns]\ncustomer_id = "order_id"\ncurrency = "none"\n'
    )
    report = replay(filled, mapping=mapping)
    assert report.accepted == 3
    assert reasons(filled) == {"broken_row": 1}


def test_a_replay_of_corrected_rows(filled, tmp_path):
    """What ``list`` gives can be edited and handed back; a row not named is left alone."""
    listed = list_quarantine(filled)
    rows = {row["reason"]: row for row in listed["rows"]}
    rows["missing_customer"]["payload"]["customer_id"] = "B"
    whole = {"order_id": "5", "customer_id": "E", "date": "2026-01-05", "total": "50"}
    rows["broken_row"]["payload"] = whole
    file = tmp_path / "mended.json"
    file.write_bytes(orjson.dumps(listed))
    report = replay(filled, edits=read_edits(file))
    assert (report.rows, report.accepted, report.quarantined) == (4, 2, 2)
    assert reasons(filled) == {"other_currency": 1, "personal_data": 1}
    one = {"row_id": rows["personal_data"]["row_id"], "payload": {"customer_id": "D"}}
    file.write_bytes(orjson.dumps(one) + b"\n")
    report = replay(filled, edits=read_edits(file))
    assert (report.rows, report.accepted) == (1, 1)
    assert filled.events.events_of(["D"])["value"].to_pylist() == [40.0]


def test_a_mended_line_of_a_known_order_is_a_conflict_and_stays(shop, tmp_path):
    """An order is a whole: one line more is told, not slipped in."""
    text = "order_id,customer_id,date,sku,price\n1,A,2026-01-01,X,1\n1,A,2026-01-01,Y,much\n"
    (tmp_path / "lines.csv").write_text(text)
    ingest(shop, [tmp_path / "lines.csv"], preset="order-lines")
    row = list_quarantine(shop)["rows"][0]
    report = replay(shop, edits={row["row_id"]: {"price": "2"}})
    assert (report.accepted, report.conflicts) == (0, 1)
    assert reasons(shop) == {"bad_number": 1}


def test_rows_of_a_workbook_and_of_the_customer_book_can_be_replayed(shop, tmp_path):
    (tmp_path / "c.jsonl").write_text('{"customer_id":"A","consent_email":"perhaps"}\n')
    report = ingest(shop, [tmp_path / "c.jsonl"], kind="customers")
    assert report.reasons == {"bad_flag": 1}
    row = list_quarantine(shop)["rows"][0]
    assert replay(shop, edits={row["row_id"]: {"consent_email": "no"}}).accepted == 1
    assert reasons(shop) == {}
    assert shop.events.customers()["consent_email"].to_pylist() == [False]


@pytest.mark.parametrize("text", ["{}", '{"row_id": 1}', "no json", '{"rows": [1]}', "[1]"])
def test_edits_that_are_none_are_refused(tmp_path, text):
    (tmp_path / "mended.jsonl").write_text(text)
    with pytest.raises(SchemaError, match="no corrected row"):
        read_edits(tmp_path / "mended.jsonl")
