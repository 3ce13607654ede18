"""What is written as Parquet is read as it was."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnguard.jobs.write_parquet import write_parquet

ROWS = 2_000


@pytest.fixture(scope="module")
def table():
    numbers = np.random.default_rng(0).normal(size=ROWS)
    places = np.arange(ROWS)
    return pa.table(
        {
            "customer_id": pa.array(places % 50).cast(pa.string()),
            "cutoff": pa.array(places // 50).cast(pa.timestamp("us", tz="UTC")),
            "kind": pa.array(places % 3).cast(pa.string()).dictionary_encode(),
            "spend": pa.array(numbers, mask=numbers < 0),
            "churned": pa.array(places % 2 == 0, mask=places % 5 == 0),
            "reasons": pa.array([["a", "b"], []] * (ROWS // 2)),
        }
    )


@pytest.mark.parametrize("rows", [ROWS, 0])
def test_all_rows_are_in_it_in_their_order(table, tmp_path, rows):
    write_parquet(table.slice(0, rows), tmp_path / "rows.parquet")
    assert pq.read_table(tmp_path / "rows.parquet").equals(table.slice(0, rows))


def test_only_words_get_a_dictionary(table, tmp_path):
    write_parquet(table, tmp_path / "rows.parquet")
    group = pq.ParquetFile(tmp_path / "rows.parquet").metadata.row_group(0)
    columns = {group.column(at).path_in_schema: group.column(at) for at in range(6)}
    assert columns["customer_id"].has_dictionary_page
    assert not columns["spend"].has_dictionary_page
