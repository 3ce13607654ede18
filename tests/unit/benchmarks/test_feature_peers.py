"""The signals' benchmark: sides that are written apart give the same numbers."""

import importlib
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def peer(monkeypatch):
    """Give modules of ``feature_peers`` by name, and forget them afterwards."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield lambda name: importlib.import_module(f"feature_peers.{name}")
    for name in [name for name in sys.modules if name.startswith("feature_peers")]:
        del sys.modules[name]


@pytest.fixture
def built(peer):
    """Give the rows of one side, in order."""
    events = peer("events")

    def rows(side, late):
        table = events.made_up_events(6_000, 150, late=late, seed=3)
        made = peer(side).features(table, events.cutoffs_of(3))
        return peer("compare").in_order(made)

    return rows


@pytest.mark.parametrize("late", [0.0, 0.1])
@pytest.mark.parametrize("side", ["duckdb", "pandas"])
def test_signals_are_what_others_compute_by_hand(peer, built, side, late):
    """All 60 columns are equal to 1e-9 with what DuckDB and pandas say, late events or not."""
    assert peer("compare").differences(built("ours", late), built(side, late)) == {}


def test_late_events_change_rows(peer, built):
    """The made-up late events matter: without them the rows are others."""
    assert peer("compare").differences(built("ours", 0.0), built("ours", 0.1))


def test_a_different_number_is_found_by_column(peer, built):
    """A number that is off by a millionth, or not known on one side, is told with its column."""
    rows = built("pandas", 0.0)
    off = pc.multiply(rows["spend_90d"], pa.scalar(1.000001))
    gone = pc.if_else(pc.equal(rows["orders_90d"], 1.0), None, rows["orders_90d"])
    other = rows.set_column(rows.column_names.index("spend_90d"), "spend_90d", off)
    other = other.set_column(rows.column_names.index("orders_90d"), "orders_90d", gone)
    assert set(peer("compare").differences(rows, other)) == {"spend_90d", "orders_90d"}


def test_one_more_cutoff_is_the_slope_over_the_first(peer):
    """Times of 1.0 and a tenth more for each further cutoff are told as 10 %."""
    runs = [
        {"events": 10, "cutoffs": n, "seconds": {"ours": 1.0 + 0.1 * (n - 1)}} for n in (1, 2, 4)
    ]
    assert peer("sweep").one_more(runs) == {"ours": {"10": pytest.approx(0.1)}}
