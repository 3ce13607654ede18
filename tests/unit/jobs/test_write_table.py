"""Files of answers appear whole, and a spreadsheet that opens one runs nothing (F47)."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnguard.errors import InvalidRequest
from churnguard.jobs.write_table import write_table

HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "fine", None]


def test_no_cell_of_text_begins_as_a_formula_does(tmp_path):
    out = tmp_path / "scores.csv"
    write_table(pa.table({"customer_id": HOSTILE, "effect": [-1.5] * 8}), out)
    text = out.read_bytes().decode()
    assert [line.split(",")[0] for line in text.splitlines() if "fine" in line] == ['"fine"']
    for one in HOSTILE[:6]:
        assert f'"\'{one}"' in text
        assert f'"{one}"' not in text
    assert ",-1.5" in text  # a number stays one


def test_parquet_keeps_ids_as_they_are(tmp_path):
    out = tmp_path / "scores.parquet"
    write_table(pa.table({"customer_id": HOSTILE}), out)
    assert pq.read_table(out)["customer_id"].to_pylist() == HOSTILE


def test_times_are_iso_8601(tmp_path):
    at = pa.array([datetime(2026, 11, 21, 8, tzinfo=UTC), None], pa.timestamp("us", "UTC"))
    write_table(pa.table({"as_of": at}), tmp_path / "scores.csv")
    assert (tmp_path / "scores.csv").read_text().splitlines()[1] == '"2026-11-21T08:00:00Z"'


def test_what_fails_leaves_the_file_before_as_it_was(tmp_path):
    out = tmp_path / "scores.parquet"
    write_table(pa.table({"a": [1]}), out)
    with pytest.raises(AttributeError):
        write_table(None, out)
    assert pq.read_table(out)["a"].to_pylist() == [1]
    assert [file.name for file in tmp_path.iterdir()] == [out.name]


def test_an_ending_that_nobody_writes_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(InvalidRequest, match=r"neither \.csv nor \.parquet"):
        write_table(pa.table({"a": [1]}), tmp_path / "new" / "scores.xlsx")
    assert list(tmp_path.iterdir()) == []
