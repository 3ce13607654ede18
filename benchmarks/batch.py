"""Everybody scored in one night, with reasons for the most worthwhile: seconds and memory by step.

``python benchmarks/batch.py --customers 100000``. A small shop is simulated and trained; its
customers are then taken many times over, under names of their own, and read from Parquet as a
shop's history is. Scores go to a new SQLite store. ``--project DIR`` takes a trained shop. One
record a customer, and the signals of those who may be given reasons, are in memory at once, so
memory grows with the customers. ``--customers 1000000`` takes some 10 minutes, half of it before
the clock starts.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from machine_speed import yardstick_ms
from serving_load.shop import make

BUCKETS = 16


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--base", type=int, default=1_500, help="customers simulated")
    parser.add_argument("--reasons", type=int, default=None, help="a tenth if left out")
    parser.add_argument("--events", type=int, default=100, help="kept of a customer, at most")
    parser.add_argument("--project", type=Path, help="a project that has a champion")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = options.project or Path(folder) / "shop"
        if options.project is None:
            make(root, options.base)
        reasons = options.reasons or min(options.customers // 10, 100_000)
        print(
            json.dumps(
                measure(root, Path(folder), options.customers, reasons, each=options.events),
                indent=1,
            )
        )


def measure(root: Path, folder: Path, customers: int, reasons: int, *, each: int) -> dict[str, Any]:
    """Score so many customers; return seconds by step, processor seconds and peak memory."""
    import churnguard
    from churnguard.jobs.score import score_everybody
    from churnguard.store.database import open_database
    from churnguard.store.scores import SqlScoreStore

    shop = churnguard.open_shop(root, reasons_top=reasons)
    events = newest_of_each(shop.events.history(), each)
    log = write_copies(events, folder / "history", customers)
    engine = open_database("sqlite:///scores.db", root=folder)
    steps = Steps()
    shop = replace(
        shop, events=CopiedLog(shop.events, folder / "history"), scores=SqlScoreStore(engine)
    )
    quick = [yardstick_ms()]
    begun, used = time.perf_counter(), time.process_time()
    with Peak() as peak:
        report = score_everybody(shop, as_of=log["as_of"], progress=steps)
    steps("", 0, None)
    took, worked = time.perf_counter() - begun, time.process_time() - used
    quick.append(yardstick_ms())
    return {
        "customers": report.run.customers,
        "events": log["events"],
        "with reasons": reasons,
        "status": report.by_status,
        "seconds": round(took, 1),
        "processor seconds": round(worked, 1),
        "the machine's yardstick before and after_ms": quick,
        "seconds and processor seconds by step": steps.seconds,
        "peak_mb": round(peak.most),
        "peak over baseline_mb": round(peak.most - peak.first),
        "highest ever_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def newest_of_each(events: pa.Table, most: int) -> pa.Table:
    """Return the newest events of each customer, at most so many."""
    events = events.sort_by([("customer_id", "ascending"), ("occurred_at", "descending")])
    ids = events["customer_id"].to_numpy()
    first = np.r_[True, ids[1:] != ids[:-1]]
    places = np.arange(len(ids))
    rank = places - np.maximum.accumulate(np.where(first, places, 0))
    return events.filter(pa.array(rank < most))


def write_copies(events: pa.Table, folder: Path, customers: int) -> dict[str, Any]:
    """Write the events of many customers in buckets, each customer's in one of them."""
    folder.mkdir()
    there = pc.count_distinct(events["customer_id"]).as_py()
    copies = max(1, customers // there)
    written = 0
    for bucket in range(min(BUCKETS, copies)):
        with pq.ParquetWriter(folder / f"{bucket}.parquet", events.schema) as writer:
            for copy in range(bucket, copies, BUCKETS):
                writer.write_table(_renamed(events, str(copy)))
                written += events.num_rows
    return {"events": written, "as_of": pc.max(events["received_at"]).as_py()}


def _renamed(events: pa.Table, copy: str) -> pa.Table:
    for name in ("customer_id", "event_id"):
        place = events.schema.get_field_index(name)
        other = pc.binary_join_element_wise(events[name].cast(pa.string()), copy, "-")
        events = events.set_column(place, events.schema.field(place), other)
    return events


class CopiedLog:
    """The copies as a shop's event store: its history; nobody stands in the customer book."""

    def __init__(self, base: Any, folder: Path) -> None:
        self._base = base
        self._folder = folder

    def partitions(self) -> Iterator[pa.Table]:
        """Yield the buckets."""
        for file in sorted(self._folder.iterdir()):
            yield pq.read_table(file)

    def customers(self, customer_ids: Sequence[str] | None = None) -> pa.Table:
        """Return an empty book, at the cost of asking a full one."""
        return self._base.customers(customer_ids).slice(0, 0)

    def data_through(self, before: datetime | None = None) -> datetime | None:
        """Return the newest event's instant."""
        newest: datetime | None = self._base.data_through(before)
        return newest

    def __getattr__(self, name: str) -> Any:
        return getattr(self._base, name)


class Steps:
    """Adds up how long each step took, and how much processor time."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self._now = ("starting", time.perf_counter(), time.process_time())

    def __call__(self, what: str, done: int, of: int | None) -> None:
        """Take note of a step."""
        del done, of
        name, since, used = self._now
        self._now = (what, time.perf_counter(), time.process_time())
        before = self.seconds.get(name, [0.0, 0.0])
        self.seconds[name] = [
            round(before[0] + self._now[1] - since, 2),
            round(before[1] + self._now[2] - used, 2),
        ]


class Peak:
    """Watches this process's memory."""

    def __enter__(self) -> Self:
        self.first = self.most = _rss_mb()
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watching.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self.most = max(self.most, _rss_mb())


def _rss_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()
