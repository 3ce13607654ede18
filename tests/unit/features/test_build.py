"""What ``build_features`` promises beyond the rows themselves: shapes, errors, blocks, compiler."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref

import numpy as np
import pyarrow as pa
import pytest

from churnguard.clock import DAY_US
from churnguard.errors import SchemaError
from churnguard.events.timeline import Timeline
from churnguard.features import build
from churnguard.features.catalogue import Catalogue
from churnguard.features.specimen import CUTOFFS, POPULATION, specimen_events

INSTANT = pa.timestamp("us", tz="UTC")


def logins(customers, days, *, delay=0):
    """Build one login a customer and day."""
    at = np.tile(np.arange(days) * DAY_US, customers)
    return Timeline.from_arrow(
        pa.table(
            {
                "event_id": pa.array(np.arange(len(at))).cast(pa.string()),
                "customer_id": pa.array(np.repeat(np.arange(customers), days)).cast(pa.string()),
                "event": pa.array(["signed_in"] * len(at)),
                "occurred_at": pa.array(at, INSTANT),
                "received_at": pa.array(at + delay, INSTANT),
            }
        )
    )


def test_rows_come_as_a_matrix_and_as_a_table():
    """A column lies together in memory, the table names customer and cutoff, NaN becomes null."""
    catalogue = Catalogue.of(["logins", "orders"])
    customers = np.array([1, 0], np.int32)
    rows = build.build_features(logins(2, 3), catalogue, customers, np.array([3, 1]) * DAY_US)
    assert rows.values.flags.f_contiguous
    assert rows.values.shape == (2, len(catalogue))
    table = rows.to_arrow()
    assert table.column_names == ["customer_id", "cutoff", *catalogue.names]
    assert table["customer_id"].to_pylist() == ["1", "0"]
    assert table["logins_30d"].to_pylist() == [3.0, 1.0]
    assert table["order_value_last"].null_count == 2


@pytest.mark.parametrize("whose", ["everybody", "one customer"])
def test_events_leave_memory_with_the_last_who_needs_them(whose):
    """No cycle keeps them until garbage is collected: a night's buckets would add up."""
    timeline = Timeline.from_arrow(specimen_events())
    if whose == "one customer":
        timeline = timeline.part(0, 1)
    customers = np.arange(len(timeline.customer_ids), dtype=np.int32)
    cutoffs = np.full(len(customers), CUTOFFS[-1])
    gc.collect()
    gc.disable()
    try:
        build.build_features(timeline, Catalogue.of(), customers, cutoffs, population=POPULATION)
        left = weakref.ref(timeline)
        tracks = [weakref.ref(timeline.track(event)) for event in timeline.events]
        del timeline
        assert left() is None
        assert tracks
        assert not any(track() for track in tracks)
    finally:
        gc.enable()


def test_blocks_do_not_show(monkeypatch):
    """Rows in small blocks, late ones among them, have the bits of rows in one block."""
    timeline = logins(20, 30, delay=DAY_US // 2)
    customers = np.repeat(np.arange(20, dtype=np.int32), 5)
    cutoffs = np.tile(np.array([0, 5, 5.25, 10.75, 40]) * DAY_US, 20).astype(np.int64)
    catalogue = Catalogue.of(["logins"])
    whole = build.build_features(timeline, catalogue, customers, cutoffs)
    monkeypatch.setattr(build, "BLOCK_ROWS", 7)
    monkeypatch.setattr(build, "_PART_ROWS", 12)
    monkeypatch.setattr(build, "_LATE_ROWS", 2)
    blocks = build.build_features(timeline, catalogue, customers, cutoffs)
    assert whole.values.tobytes() == blocks.values.tobytes()


@pytest.mark.parametrize(
    ("customers", "cutoffs"), [([0, 0], [0]), ([2], [0]), ([-1], [0])], ids=str
)
def test_rows_that_cannot_be_are_refused(customers, cutoffs):
    """One cutoff a customer, and codes of the timeline only."""
    with pytest.raises(SchemaError):
        build.build_features(
            logins(2, 2), Catalogue.of(["logins"]), np.array(customers), np.array(cutoffs)
        )


def test_a_read_only_home_does_not_stop_the_compiler(tmp_path):
    """Where no folder for compiled code can be written, code is compiled without being kept."""
    program = (
        "import numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = []\n"
        "from churnguard.events.sorting import first_at; import numpy as np\n"
        "one = np.zeros(1, np.int64)\n"
        "print(first_at(np.array([5]), one, one + 1, one + 6)[0])\n"
    )
    environ = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environ, check=False
    )
    assert done.stdout.strip() == "1", done.stderr
