"""An engine in this process: what an engine promises, with no cluster and no Java."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churnguard.jobs.ports import Task
from churnguard.jobs.write_table import write_table

_NOBODY = pa.table({"customer_id": pa.array([], pa.string())})


class FakeEngine:
    """Run tasks over hashed partitions of customers, one after another.

    Parameters
    ----------
    events : pyarrow.Table
        Canonical events.
    partitions : int
        How many.

    Examples
    --------
    >>> from churnguard.jobs.tasks import CustomersSeen
    >>> from churnguard.testing import NOON, build_events
    >>> FakeEngine(build_events()).run(CustomersSeen(NOON))["customer_id"].to_pylist()
    ['C1']
    """

    def __init__(self, events: pa.Table, *, partitions: int = 3) -> None:
        self._events = events
        self._partitions = partitions

    def run(self, task: Task, *, beside: pa.Table | None = None, only: bool = False) -> pa.Table:
        """Return what a task makes of all partitions that hold anything."""
        events = self._events.select(list(task.columns))
        if only and beside is not None:
            wanted = pc.is_in(events["customer_id"], value_set=beside["customer_id"])
            events = events.filter(wanted)
        places, known = self._places(events), self._places(_NOBODY if beside is None else beside)
        answers = [
            task(
                events.filter(pa.array(places == place)),
                None if beside is None else beside.filter(pa.array(known == place)),
            )
            for place in sorted({*places.tolist(), *known.tolist()})
        ]
        return pa.concat_tables([task.schema.empty_table(), *answers])

    def write(self, task: Task, out: str, *, order_by: Sequence[str]) -> Mapping[str, int]:
        """Write a task's sorted answer as one Parquet file."""
        rows = self.run(task).sort_by([(name, "ascending") for name in order_by])
        write_table(rows, Path(out))
        return {name: len(rows) - rows[name].null_count for name in rows.column_names}

    def _places(self, table: pa.Table) -> np.ndarray:
        ids = table["customer_id"].to_pylist()
        return np.array([crc32(name.encode()) % self._partitions for name in ids], dtype=np.int64)
