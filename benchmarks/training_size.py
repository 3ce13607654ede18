"""What a training costs as a shop grows: seconds of each step, and the most memory it held.

    python benchmarks/training_size.py --customers 200000 --cutoffs 12 [--json]

Made-up events (those of the signals' benchmark, fifty a customer over two years) go through
``churnguard train`` as it is: history, population, rows, backtest beside the baselines, refit with
calibration and intervals, report and bundle in MLflow, promotion. Only the store is another one:
the events lie in sixteen Parquet files, a bucket of customers each, as the history does.
Afterwards the champion explains single rows: what one contribution row costs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from churnguard.bootstrap import open_shop
from churnguard.clock import DAY_US, from_us
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.jobs.champion import load_champion
from churnguard.jobs.ports import EventStore, Shop
from churnguard.jobs.snapshots import read_history, snapshot_rows
from churnguard.jobs.train import TrainingReport, train
from churnguard.project.template import create_project
from churnguard.training.model import TrainedModel
from feature_peers.events import DAYS, made_up_events
from feature_peers.measure import fresh_peak, peak_bytes

BUCKETS, EVENTS_EACH, ONE_ROWS = 16, 50, 2_000
RECIPE = """
[cutoffs]
step_days = 30
span_days = {span}
"""


@dataclass(frozen=True)
class Buckets:
    """A store of events that is read a bucket of customers at a time."""

    files: Sequence[Path]
    book: pa.Table

    def partitions(self) -> Iterator[pa.Table]:
        """Yield the buckets."""
        for file in self.files:
            yield pq.read_table(file)

    def customers(self, customer_ids: Sequence[str] | None = None) -> pa.Table:
        """Return the customer book, which is empty."""
        del customer_ids
        return self.book


class Steps:
    """Seconds, seconds of CPU and the peak so far of each step, by the job's own progress."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = {}
        self._now, self._began = "", (0.0, 0.0)

    def __call__(self, what: str, done: int, of: int | None) -> None:
        """Note that a step goes on or begins."""
        del done, of
        at = time.perf_counter(), time.process_time()
        if self._now:
            seconds, cpu, _ = self.taken.setdefault(self._now, [0.0, 0.0, 0.0])
            passed = (now - then for now, then in zip(at, self._began, strict=True))
            self.taken[self._now] = [seconds + next(passed), cpu + next(passed), peak_bytes() / 1e9]
        if what != self._now:
            print(f"{what} ({peak_bytes() / 1e9:.2f} GB so far)", file=sys.stderr, flush=True)
        self._began, self._now = at, what

    def told(self) -> dict[str, dict[str, float]]:
        """Return the steps, JSON-ready."""
        names = ("seconds", "cpu_seconds", "peak_gb")
        return {
            step: {name: round(value, 2) for name, value in zip(names, taken, strict=True)}
            for step, taken in self.taken.items()
        }


def main() -> None:
    """Train, explain, print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--customers", type=int, default=200_000)
    asked.add_argument("--cutoffs", type=int, default=12)
    asked.add_argument("--json", action="store_true")
    args = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        answer = measure(Path(folder) / "shop", args.customers, args.cutoffs)
    print(json.dumps(answer, indent=1) if args.json else to_text(answer))


def measure(root: Path, customers: int, cutoffs: int) -> dict[str, Any]:
    """Return sizes, seconds and bytes of one training."""
    shop = make_shop(root, customers, cutoffs)
    pa.default_memory_pool().release_unused()
    before = fresh_peak()
    steps, cpu, began = Steps(), time.process_time(), time.perf_counter()
    with redirect_stdout(sys.stderr):
        report: TrainingReport = train(shop, recipe="size", progress=steps)
    steps("done", 0, None)
    answer = {
        "customers": customers,
        "events": customers * EVENTS_EACH,
        "cutoffs": report.cutoffs,
        "rows": report.rows,
        "signals": report.signals,
        "seconds": round(time.perf_counter() - began, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "steps": steps.told(),
        "before_gb": round(before / 1e9, 2),
        "peak_gb": round(peak_bytes() / 1e9, 2),
        "rows_as_float64_gb": round(report.rows * report.signals * 8 / 1e9, 2),
        "auc": round(report.backtest.mean()["auc"], 3),
    }
    return answer | {"one_contribution_row_ms": one_row(shop)}


def make_shop(root: Path, customers: int, cutoffs: int) -> Shop:
    """Return a project whose events lie in sixteen files."""
    layout = create_project(root)
    text = RECIPE.format(span=30 * (cutoffs - 1))
    (layout.training / "size.toml").write_text(text, encoding="utf-8")
    each, files = customers // BUCKETS, [root / f"{bucket:02}.parquet" for bucket in range(BUCKETS)]
    for bucket, file in enumerate(files):
        events = made_up_events(each * EVENTS_EACH, each, first=each * bucket)
        pq.write_table(canonical(events), file, compression="zstd")
    shop = open_shop(root, clock=lambda: from_us(DAYS * DAY_US), environ={})
    return replace(shop, events=cast(EventStore, Buckets(files, shop.events.customers())))


def canonical(events: pa.Table) -> pa.Table:
    """Return events with every column of the schema."""
    true = pa.array(["true"] * len(events)).dictionary_encode()
    columns = [
        events[item.name].cast(item.type)
        if item.name in events.column_names
        else (true if item.name == "clock" else pa.nulls(len(events), item.type))
        for item in EVENT_SCHEMA
    ]
    return pa.table(columns, schema=EVENT_SCHEMA)


def one_row(shop: Shop) -> dict[str, float]:
    """Return how long the champion takes for the contributions of one row, milliseconds."""
    entry = shop.ledger.champion()
    assert entry is not None
    bundle = load_champion(shop, entry).bundle
    first = Buckets([shop.root / "00.parquet"], shop.events.customers())
    small = replace(shop, events=cast(EventStore, first))
    history = read_history(small, known_before=shop.clock(), progress=lambda *_: None)
    rows, _ = snapshot_rows(
        history.timelines[0],
        bundle.catalogue,
        [DAYS * DAY_US],
        population=bundle.population,
        horizon_days=bundle.facts.horizon_days,
        look_back_days=bundle.facts.look_back_days,
    )
    X = np.ascontiguousarray(rows.values[:ONE_ROWS])
    taken = np.array([_timed(bundle.model, X[place : place + 1]) for place in range(len(X))])
    wall, cpu = taken[len(taken) // 10 :].T * 1e3
    _, batch = _timed(bundle.model, X)
    found = {
        "p50": np.median(wall),
        "p99": np.quantile(wall, 0.99),
        "cpu_p50": np.median(cpu),
        "cpu_p99": np.quantile(cpu, 0.99),
        "in_a_batch": batch / len(X) * 1e3,
    }
    return {name: round(float(value), 3) for name, value in found.items()}


def _timed(model: TrainedModel, X: np.ndarray) -> tuple[float, float]:
    """Return seconds, and seconds of this thread's CPU."""
    wall, cpu = time.perf_counter(), time.thread_time()
    model.contributions(X)
    return time.perf_counter() - wall, time.thread_time() - cpu


def to_text(answer: dict[str, Any]) -> str:
    """Return the figures for a person."""
    one = answer["one_contribution_row_ms"]
    lines = [
        f"{answer['customers']:,} customers, {answer['events']:,} events, {answer['cutoffs']} "
        f"cutoffs: {answer['rows']:,} rows of {answer['signals']} signals "
        f"({answer['rows_as_float64_gb']} GB)",
        f"{answer['seconds']} s ({answer['cpu_seconds']} s of CPU), at most {answer['peak_gb']} GB "
        f"({answer['before_gb']} GB before it began)",
        *(
            f"  {taken['seconds']:8.1f} s ({taken['cpu_seconds']:.1f} s of CPU), "
            f"{taken['peak_gb']:.2f} GB so far: {name}"
            for name, taken in answer["steps"].items()
        ),
        f"one contribution row: p50 {one['p50']} ms, p99 {one['p99']} ms; of CPU {one['cpu_p50']} "
        f"and {one['cpu_p99']} ms; in a batch {one['in_a_batch']} ms",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
