"""More events than one would load at once: buckets of customers on disk, built one by one."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from feature_peers.events import cutoffs_of, made_up_events
from feature_peers.measure import DOOR, peak_bytes


def out_of_core(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Write events in buckets, build every bucket's rows in a fresh process, and say what it took.

    All on disk stays within ``work``, which the caller removes.
    """
    began = time.perf_counter()
    per, people = options.events // options.buckets, options.customers // options.buckets
    for bucket in range(options.buckets):
        events = made_up_events(
            per, people, late=options.late, seed=options.seed, first=bucket * people
        )
        pq.write_table(events, work / f"events-{bucket:03}.parquet", compression="zstd")
    written = time.perf_counter()
    command = [sys.executable, str(DOOR), "--build-buckets", str(work)]
    command += ["--cutoffs", str(options.cutoffs), "--workers", str(options.workers)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    return {
        "events": per * options.buckets,
        "customers": people * options.buckets,
        "buckets": options.buckets,
        "cutoffs": options.cutoffs,
        "workers": options.workers,
        "generate_s": round(written - began, 1),
        **json.loads(done.stdout.splitlines()[-1]),
        "events_on_disk_mb": _on_disk(work, "events-*"),
        "rows_on_disk_mb": _on_disk(work, "rows-*"),
    }


def build_buckets(options: argparse.Namespace) -> dict[str, Any]:
    """Build each bucket's rows to Parquet, so many at a time as there are workers."""
    from feature_peers import ours

    folder, at = Path(options.build_buckets), cutoffs_of(options.cutoffs)

    def build(source: Path) -> int:
        rows = ours.features(pq.read_table(source), at)
        name = source.name.replace("events", "rows")
        pq.write_table(rows, folder / name, compression="zstd", use_dictionary=False)
        return int(rows.num_rows)

    ours.features(made_up_events(20_000, 400, seed=1), at)
    began = time.perf_counter()
    with ThreadPoolExecutor(options.workers) as workers:
        rows = sum(workers.map(build, sorted(folder.glob("events-*"))))
    return {
        "build_s": round(time.perf_counter() - began, 1),
        "rows": rows,
        "peak_mb": peak_bytes() // 1_000_000,
    }


def as_text(answer: dict[str, Any]) -> str:
    """Return the figures as a table in Markdown."""
    rows = [f"| {name.replace('_', ' ')} | {number:,} |" for name, number in answer.items()]
    return "\n".join(["| what | figure |", "|---|---|", *rows])


def _on_disk(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern)) // 1_000_000
