"""What runs partition by partition on an engine gives what runs here, without Java."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnguard.errors import InvalidRequest, NotEnoughHistory
from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.events.schema import empty_events
from churnguard.jobs.build import build
from churnguard.jobs.build_on import build_on
from churnguard.jobs.ports import Shop
from churnguard.project.settings import read_settings
from churnguard.project.template import create_project
from churnguard.testing import (
    GOLDEN_ZONE,
    FakeEngine,
    fake_shop,
    golden_corpus,
    golden_cutoffs,
)

OWN_SIGNAL = '''
from churnguard.features.signal import signal
from churnguard.features.units import ORDERS

@signal(unit=ORDERS, direction=-1, needs=("order_completed",),
        en="{orders_60d} in the last 60 days", he="{orders_60d} ב-60 הימים האחרונים")
def orders_60d(rows):
    """Orders in the last 60 days."""
    return rows.events("order_completed").count(days=60)
'''


def shop_of(root: Path, events: pa.Table) -> Shop:
    """A project with a signal of its own, and two customers who may not be profiled."""
    layout = create_project(root, timezone=GOLDEN_ZONE)
    (layout.features / "ours.py").write_text(OWN_SIGNAL, encoding="utf-8")
    shop = fake_shop(events=events, root=root, settings=read_settings(root, {}))
    unwanted = [
        {"customer_id": "C0", "opt_out_profiling": True},
        {"customer_id": "c1", "exclude": True},
    ]
    shop.events.put_customers(pa.Table.from_pylist(unwanted, schema=CUSTOMER_SCHEMA))
    return shop


@pytest.mark.parametrize("partitions", [1, 5])
def test_rows_have_the_same_bits_on_any_partitioning(tmp_path, partitions):
    """Ties, nulls, late events, changed clocks, own signals: the very table of a local build."""
    events = golden_corpus()
    shop, cutoffs = shop_of(tmp_path / "shop", events), golden_cutoffs()
    expected, left_out = build(shop, cutoffs)
    out = tmp_path / "rows.parquet"
    summary = build_on(
        FakeEngine(events, partitions=partitions), shop, cutoffs=cutoffs, out=str(out)
    )
    found = pq.read_table(out)
    assert found.schema.equals(expected.schema)
    assert found.equals(expected)
    assert "orders_60d" in found.column_names
    assert not {"C0", "c1"} & set(found["customer_id"].to_pylist())
    assert expected["churned"].null_count not in (0, len(expected))
    assert summary["rows"] == len(expected) == found.num_rows
    assert summary["mature"] == len(expected) - expected["churned"].null_count
    assert (summary["columns"], summary["left_out"]) == (expected.num_columns - 4, left_out)


def test_an_engine_without_events_says_so(tmp_path):
    shop = shop_of(tmp_path / "shop", empty_events())
    with pytest.raises(NotEnoughHistory, match="Nothing was known before 2026-11-21"):
        build_on(FakeEngine(empty_events()), shop, cutoffs=golden_cutoffs(), out="rows.parquet")


def test_an_engine_wants_a_cutoff(tmp_path):
    with pytest.raises(InvalidRequest, match="no cutoff"):
        build_on(FakeEngine(empty_events()), fake_shop(), cutoffs=[], out="rows.parquet")
