"""One side in a process of its own: the clock, and how far memory rises above where it stood."""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from feature_peers.columns import SEARCHED
from feature_peers.events import cutoffs_of, made_up_events

DOOR = Path(__file__).parents[1] / "features.py"
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Run:
    """Seconds by the clock and of all cores, and bytes over the baseline, of one run."""

    seconds: float
    cpu: float
    peak: int


def measured(
    side: str,
    table: Path,
    *,
    cutoffs: int,
    repeats: int = 1,
    out: Path,
    columns: str = "all",
    late: float = 0.0,
    limit: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run one side in a fresh process and return its times (seconds) and memory (MB).

    A side that takes longer than ``limit`` seconds, reading and warming up included, is ended and
    has ``failed`` instead.

    A table in Parquet is read and the result written as Parquet within the clock; one in Arrow's
    file format is in memory before the clock starts, and so is the result when it stops.
    """
    command = [sys.executable, str(DOOR), "--one", side, "--table", str(table)]
    command += ["--cutoffs", str(cutoffs), "--repeats", str(repeats), "--columns", columns]
    command += ["--result", str(out), "--late", str(late)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit,
            env=os.environ | (environment or {}),
        )
    except subprocess.TimeoutExpired:
        return {"side": side, "failed": [f"over {limit:g} s"]}
    if done.returncode:
        return {"side": side, "failed": done.stderr.strip().splitlines()[-1:]}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def run_one(options: argparse.Namespace) -> dict[str, Any]:
    """Measure this process's side: read, warm up, run, and write the result for comparison."""
    began = time.perf_counter()
    features = _features(options.one, options.columns)
    imported = time.perf_counter()
    at, out = cutoffs_of(options.cutoffs), Path(options.result)
    for late in {0.0, options.late}:
        features(made_up_events(150_000, 3_000, seed=1, late=late), at)
    warm = time.perf_counter()
    through_files = options.table.endswith(".parquet")
    run = _through_parquet if through_files else _in_memory
    runs, rows, events = run(options, features, at, out)
    peak, moved = max(one.peak for one in runs), events.nbytes + rows.nbytes
    return {
        "side": options.one,
        "best_s": round(min(one.seconds for one in runs), 3),
        "seconds": [round(one.seconds, 3) for one in runs],
        "cpu_s": [round(one.cpu, 3) for one in runs],
        "import_s": round(imported - began, 2),
        "warm_up_s": round(warm - imported, 2),
        "rows": rows.num_rows,
        "input_mb": events.nbytes // 1_000_000,
        "output_mb": rows.nbytes // 1_000_000,
        "peak_over_baseline_mb": peak // 1_000_000,
        "peak_to_input_and_output": round(peak / moved, 2),
    }


def _features(side: str, columns: str) -> Any:
    """Return a side's function; only ours can be asked for the 45 columns alone."""
    module = importlib.import_module(f"feature_peers.{side}")
    if columns == "all":
        return module.features
    return lambda events, at: module.features(events, at, SEARCHED)


def _in_memory(
    options: argparse.Namespace, features: Any, at: Sequence[int], out: Path
) -> tuple[list[Run], pa.Table, pa.Table]:
    with pa.OSFile(options.table) as file:
        events = pa.ipc.open_file(file).read_all()
    runs, rows = _timed(lambda: features(events, at), options.repeats)
    with pa.OSFile(str(out), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
        writer.write_table(rows)
    return runs, rows, events


def _through_parquet(
    options: argparse.Namespace, features: Any, at: Sequence[int], out: Path
) -> tuple[list[Run], pa.Table, pa.Table]:
    def plainly(source: Path, target: Path, at: Sequence[int]) -> None:
        pq.write_table(features(pq.read_table(source), at), target, use_dictionary=False)

    module = importlib.import_module(f"feature_peers.{options.one}")
    through = getattr(module, "through_files", plainly)
    source, target = Path(options.table), out.with_suffix(".parquet")
    runs, _ = _timed(lambda: through(source, target, at), options.repeats)
    rows = pq.read_table(target)
    target.unlink()
    with pa.OSFile(str(out), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
        writer.write_table(rows)
    return runs, rows, pq.read_table(options.table)


def _timed(run: Callable[[], Any], repeats: int) -> tuple[list[Run], Any]:
    """Return what each run took, and what the last one gave."""
    runs, given = [], None
    for _ in range(repeats):
        given = None
        gc.collect()
        before, cpu, began = fresh_peak(), time.process_time(), time.perf_counter()
        given = run()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        runs.append(Run(seconds, cpu, peak_bytes() - before))
    return runs, given


def fresh_peak() -> int:
    """Set the peak back to what is resident now, where that is allowed, and return it in bytes."""
    pa.default_memory_pool().release_unused()
    try:
        _CLEAR.write_text("5")
    except OSError:
        return peak_bytes()
    return _bytes("VmRSS")


def peak_bytes() -> int:
    """Return the most that this process has held in memory."""
    return _bytes("VmHWM")


def _bytes(name: str) -> int:
    found = next(x for x in _STATUS.read_text().splitlines() if x.startswith(name))
    return int(found.split()[1]) * 1024
