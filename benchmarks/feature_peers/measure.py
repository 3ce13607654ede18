"""One side in a process of its own: the clock, and how far memory rises above where it stood."""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from feature_peers.columns import COLUMNS, SEARCHED
from feature_peers.events import cutoffs_of, made_up_events

DOOR = Path(__file__).parents[1] / "features.py"
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def measured(
    side: str,
    table: Path,
    *,
    cutoffs: int,
    repeats: int = 1,
    out: Path | None = None,
    columns: str = "all",
    parquet: bool = False,
) -> dict[str, Any]:
    """Run one side in a fresh process and return its times (seconds) and memory (bytes)."""
    command = [sys.executable, str(DOOR), "--one", side, "--table", str(table)]
    command += ["--cutoffs", str(cutoffs), "--repeats", str(repeats), "--columns", columns]
    command += ["--result", str(out)] if out else []
    command += ["--parquet"] if parquet else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"side": side, "failed": done.stderr.strip().splitlines()[-1:]}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def run_one(options: argparse.Namespace) -> dict[str, Any]:
    """Measure this process's side: read, warm up, run, and write the result for comparison."""
    features = _features(options.one, options.columns)
    at = cutoffs_of(options.cutoffs)
    began = time.perf_counter()
    features(made_up_events(20_000, 400, seed=1), at)
    warm = time.perf_counter() - began
    if options.parquet:
        return _from_parquet(options, features, at) | {"warm_up_s": round(warm, 2)}
    events = _read(options.table)
    seconds, peaks, rows = [], [], None
    for _ in range(options.repeats):
        rows = None
        gc.collect()
        before = _fresh_peak()
        began = time.perf_counter()
        rows = features(events, at)
        seconds.append(round(time.perf_counter() - began, 3))
        peaks.append(_kilobytes("VmHWM") * 1024 - before)
    assert rows is not None
    if options.result:
        _write(rows, Path(options.result))
    moved = events.nbytes + rows.nbytes
    return {
        "side": options.one,
        "seconds": seconds,
        "best_s": min(seconds),
        "warm_up_s": round(warm, 2),
        "rows": rows.num_rows,
        "input_mb": events.nbytes // 1_000_000,
        "output_mb": rows.nbytes // 1_000_000,
        "peak_over_baseline_mb": max(peaks) // 1_000_000,
        "peak_to_input_and_output": round(max(peaks) / moved, 2),
    }


def _features(side: str, columns: str) -> Any:
    """Return a side's function; only ours can be asked for the 45 columns alone."""
    module = importlib.import_module(f"feature_peers.{side}")
    if columns == "all":
        return module.features
    return lambda events, at: module.features(events, at, SEARCHED)


def _from_parquet(options: argparse.Namespace, features: Any, at: Sequence[int]) -> dict[str, Any]:
    """Measure from Parquet to Parquet."""
    source = Path(options.table).with_suffix(".parquet")
    target = source.with_name(f"{options.one}.features.parquet")
    before, began = _fresh_peak(), time.perf_counter()
    rows = features(pq.read_table(source), at)
    pq.write_table(rows, target, use_dictionary=False)
    seconds = round(time.perf_counter() - began, 3)
    size = target.stat().st_size
    target.unlink()
    return {
        "side": options.one,
        "best_s": seconds,
        "peak_over_baseline_mb": (_kilobytes("VmHWM") * 1024 - before) // 1_000_000,
        "written_mb": size // 1_000_000,
    }


def _read(path: str) -> pa.Table:
    with pa.OSFile(path) as file:
        return pa.ipc.open_file(file).read_all()


def _write(rows: pa.Table, path: Path) -> None:
    assert set(COLUMNS) >= set(rows.column_names[2:])
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
        writer.write_table(rows)


def _fresh_peak() -> int:
    """Set the peak back to what is resident now, and return that in bytes."""
    pa.default_memory_pool().release_unused()
    try:
        _CLEAR.write_text("5")
    except OSError:
        return _kilobytes("VmHWM") * 1024
    return _kilobytes("VmRSS") * 1024


def _kilobytes(name: str) -> int:
    found = next(x for x in _STATUS.read_text().splitlines() if x.startswith(name))
    return int(found.split()[1])
