"""Every format gives the same rows, numbered from 1; damaged files are named, never half read."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnguard.errors import DataError, SchemaError
from churnguard.events.readers import ReadOptions, read_file

LINES = ["id,name,price", "007,café,1.5", ',"a, b",2']


def texts(table):
    return [
        {name: None if value in (None, "") else str(value) for name, value in row.items()}
        for row in table.to_pylist()
    ]


EXPECTED = [
    {"id": "007", "name": "café", "price": "1.5"},
    {"id": None, "name": "a, b", "price": "2"},
]


def write_csv(path):
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")


def write_gzipped_csv(path):
    path.write_bytes(gzip.compress(("\n".join(LINES)).encode()))


def write_windows_csv(path):
    path.write_bytes(("\ufeff" + "\r\n".join(LINES)).encode())


def write_semicolons(path):
    path.write_text("id;name;price\n007;café;1.5\n;a, b;2\n\n", encoding="utf-8")


def write_tsv(path):
    path.write_text("id\tname\tprice\n007\tcafé\t1.5\n\ta, b\t2\n", encoding="utf-8")


def write_json_lines(path):
    rows = '{"id":"007","name":"café","price":"1.5"}\n\n{"name":"a, b","price":2,"id":null}\n'
    path.write_text(rows, encoding="utf-8")


def write_gzipped_json_lines(path):
    path.write_bytes(
        gzip.compress(
            b'{"id":"007","name":"caf\xc3\xa9","price":"1.5"}\n{"name":"a, b","price":"2"}'
        )
    )


def write_parquet(path):
    columns = {"id": ["007", None], "name": ["café", "a, b"], "price": ["1.5", "2"]}
    pq.write_table(pa.table(columns), path)


def write_excel(path):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["id", "name", "price"], ["007", "café", "1.5"], [None] * 3, [None, "a, b", 2]):
        sheet.append(row)
    book.create_sheet("empty")
    book.save(path)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("rows.csv", write_csv),
        ("ROWS.CSV", write_windows_csv),
        ("rows.csv.gz", write_gzipped_csv),
        ("semicolons.csv", write_semicolons),
        ("rows.tsv", write_tsv),
        ("rows.jsonl", write_json_lines),
        ("rows.jsonl.gz", write_gzipped_json_lines),
        ("rows.parquet", write_parquet),
        ("rows.xlsx", write_excel),
    ],
)
def test_every_format_gives_the_same_rows(tmp_path, name, write):
    """Ids keep their leading zeros, quoted commas stay, blank lines do not count."""
    write(tmp_path / name)
    (chunk,) = read_file(tmp_path / name)
    assert texts(chunk.table) == EXPECTED
    assert chunk.row_numbers.tolist() == [1, 2]
    assert chunk.source.startswith(name)
    assert chunk.broken == ()


def test_a_workbook_gives_all_its_sheets_with_their_types(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Year 2009-2010"
    second = book.create_sheet("Year 2010-2011")
    noon = datetime(2009, 12, 1, 12)  # noqa: DTZ001 # a workbook's times have no zone
    for sheet, invoice in ((book.active, 489434), (second, "C536379")):
        sheet.append(["Invoice", "StockCode", "InvoiceDate", "Customer ID"])
        sheet.append([invoice, 22423, noon, 13085])
        sheet.append([invoice, "79323P", noon + timedelta(minutes=1), None])
    book.save(tmp_path / "retail.xlsx")
    first, other = read_file(tmp_path / "retail.xlsx")
    assert first.source == "retail.xlsx[Year 2009-2010]"
    assert other.source == "retail.xlsx[Year 2010-2011]"
    assert first.table["StockCode"].to_pylist() == ["22423", "79323P"]
    assert first.table["InvoiceDate"].to_pylist()[0] == noon
    (only,) = read_file(tmp_path / "retail.xlsx", ReadOptions(sheets=("Year 2010-2011",)))
    assert only.table["Invoice"].to_pylist() == ["C536379", "C536379"]
    with pytest.raises(SchemaError, match="no sheet 'Summary'"):
        list(read_file(tmp_path / "retail.xlsx", ReadOptions(sheets=("Summary",))))


def test_lines_that_are_no_rows_keep_their_number_and_text(tmp_path):
    csv = tmp_path / "broken.csv"
    csv.write_text("a,b\n1,2\n3,4,5\n6,7\n8\n", encoding="utf-8")
    (chunk,) = read_file(csv)
    assert chunk.row_numbers.tolist() == [1, 3]
    assert [(row.row_number, row.text) for row in chunk.broken] == [(2, "3,4,5"), (4, "8")]
    lines = tmp_path / "broken.jsonl"
    lines.write_text('{"a":1}\n{"a":\n[1]\n{"a":2}\n', encoding="utf-8")
    (chunk,) = read_file(lines)
    assert chunk.row_numbers.tolist() == [1, 4]
    assert [row.row_number for row in chunk.broken] == [2, 3]


def test_latin_1_is_read_when_the_mapping_says_so(tmp_path):
    file = tmp_path / "latin.csv"
    file.write_bytes("id,name\n1,café\n".encode("latin-1"))
    (chunk,) = read_file(file, ReadOptions(encoding="latin-1"))
    assert chunk.table["name"].to_pylist() == ["café"]
    with pytest.raises(SchemaError, match="not written in UTF-8"):
        list(read_file(file))


def damaged(folder, kind):
    """Write a file that cannot be read; return it."""
    whole = folder / "whole.parquet"
    write_parquet(whole)
    contents = {
        "cut.parquet": whole.read_bytes()[:-20],
        "empty.csv": b"",
        "empty.parquet": b"",
        "text.parquet": b"this is no parquet",
        "text.xlsx": b"this is no workbook",
        "cut.jsonl.gz": gzip.compress(b'{"a":1}\n' * 100)[:-15],
        "cut.csv.gz": gzip.compress(b"a,b\n" + b"1,2\n" * 100)[:-15],
        "twice.csv": b"a,a\n1,2\n",
        "rows.docx": b"PK",
    }
    file = folder / kind
    if kind in contents:
        file.write_bytes(contents[kind])
    elif kind == "folder.csv":
        file.mkdir()
    return file


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("cut.parquet", "no whole Parquet file"),
        ("text.parquet", "no whole Parquet file"),
        ("empty.parquet", "is empty"),
        ("empty.csv", "is empty"),
        ("text.xlsx", "no readable workbook"),
        ("cut.jsonl.gz", "cannot be read"),
        ("cut.csv.gz", "cannot be read"),
        ("twice.csv", "more than once"),
        ("folder.csv", "is a directory"),
        ("missing.csv", "There is no file"),
        ("rows.docx", "no reader knows"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path, kind, says):
    with pytest.raises(DataError, match=says) as caught:
        list(read_file(damaged(tmp_path, kind)))
    assert kind in str(caught.value)
    assert caught.value.hint or kind == "twice.csv"
