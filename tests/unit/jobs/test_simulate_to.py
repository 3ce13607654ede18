"""The files of a simulated shop appear whole, and the summary says what is in them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnguard.errors import InvalidRequest, StoreError
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.events.simulation import CAUSES, RESPONSE_TYPES, SimulationPlan
from churnguard.jobs.simulate import simulate_to

PLAN = SimulationPlan(customers=80, days=300)


def test_files_are_written_beside_each_other(tmp_path):
    """FILE, FILE.customers, FILE.offers and FILE.truth; no temporary file stays."""
    found = simulate_to(tmp_path / "deep" / "shop.parquet", PLAN)
    names = {path.name for path in (tmp_path / "deep").iterdir()}
    assert names == {
        "shop.parquet",
        "shop.customers.parquet",
        "shop.offers.parquet",
        "shop.truth.parquet",
    }
    events = pq.read_table(found["files"]["events"])
    assert events.schema.equals(EVENT_SCHEMA)
    assert events.num_rows == found["rows"] == sum(found["events"].values())


def test_same_plan_writes_the_same_bytes(tmp_path):
    """Files are equal byte for byte."""
    first = simulate_to(tmp_path / "a.parquet", PLAN)
    second = simulate_to(tmp_path / "b.parquet", PLAN)
    for name, path in first["files"].items():
        assert Path(path).read_bytes() == Path(second["files"][name]).read_bytes()


def test_the_summary_tells_shares(tmp_path):
    """Causes and response types are shares that add up to one."""
    found = simulate_to(tmp_path / "shop.parquet", PLAN)
    assert found["customers"] == 80
    assert set(found["causes"]) <= set(CAUSES)
    assert set(found["response_types"]) <= set(RESPONSE_TYPES)
    assert sum(found["causes"].values()) == pytest.approx(1, abs=0.01)
    truth = pq.read_table(found["files"]["truth"])
    last = truth["at"].cast(pa.int64()).to_numpy().max()
    newest = truth.filter(pa.array(truth["at"].cast(pa.int64()).to_numpy() == last))
    gone = newest["state"].cast(pa.string()).to_pylist().count("gone")
    assert found["churned_share"] == pytest.approx(gone / newest.num_rows, abs=1e-4)


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    """Another suffix and a file in the way are errors with a hint."""
    with pytest.raises(InvalidRequest, match=r"shop\.csv"):
        simulate_to(tmp_path / "shop.csv", PLAN)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError) as caught:
        simulate_to(tmp_path / "file" / "shop.parquet", PLAN)
    assert caught.value.hint
