"""All sides on one table, one after the other, and whether they gave the same numbers."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from feature_peers.compare import differences, in_order
from feature_peers.events import made_up_events
from feature_peers.measure import measured


def side_by_side(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Return each side's times and memory, the ratios to ours, and what differs.

    Temporary files go to the folder ``work``.
    """
    table = write_events(options, work / "events.arrow")
    return {
        "events": options.events,
        "customers": options.customers,
        "cutoffs": options.cutoffs,
        "late": options.late,
        "parquet": options.parquet,
        **compared(options, table, cutoffs=options.cutoffs, limit=options.limit),
    }


def write_events(options: argparse.Namespace, path: Path) -> Path:
    """Write the made-up events as Arrow's file format, or as Parquet, and return the path."""
    events = made_up_events(options.events, options.customers, late=options.late, seed=options.seed)
    if options.parquet:
        path = path.with_suffix(".parquet")
        pq.write_table(events, path)
        return path
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, events.schema) as writer:
        writer.write_table(events)
    return path


def compared(
    options: argparse.Namespace,
    table: Path,
    *,
    cutoffs: int,
    limit: float | None = None,
    skipped: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return ``sides``, ``times_ours`` and ``differences`` for a table that was written.

    ``limit`` is the longest that a side may take (seconds); ``skipped`` are sides that are not
    run, with the reason.
    """
    sides: dict[str, Any] = {}
    unlike, ours, no = {}, None, skipped or {}
    for side in options.sides.split(","):
        out = table.with_name(f"{side}.result.arrow")
        if side in no:
            sides[side] = {"side": side, "failed": [no[side]]}
            continue
        sides[side] = measured(
            side,
            table,
            cutoffs=cutoffs,
            repeats=options.repeats,
            out=out,
            late=options.late,
            limit=limit,
        )
        if "failed" in sides[side]:
            continue
        rows = in_order(pa.ipc.open_file(pa.memory_map(str(out))).read_all())
        out.unlink()
        ours = rows if ours is None else ours
        sides[side]["columns"] = rows.num_columns - 2
        if found := differences(ours, rows):
            unlike[side] = found
    return {"sides": sides, "times_ours": _ratios(sides), "differences": unlike}


def as_text(answer: dict[str, Any]) -> str:
    """Return the answer as a table in Markdown."""
    lines = ["| side | seconds | times ours | CPU s | peak, MB | of input + output |"]
    lines.append("|---|---|---|---|---|---|")
    for name, side in answer["sides"].items():
        ratio = answer["times_ours"].get(name, "")
        peak = side.get("peak_over_baseline_mb", "")
        share = side.get("peak_to_input_and_output", "")
        cpu, best = min(side.get("cpu_s", [""])), side.get("best_s", "failed")
        lines.append(f"| {name} | {best} | {ratio} | {cpu} | {peak} | {share} |")
    lines += [f"\n{n}: {side['failed']}" for n, side in answer["sides"].items() if "failed" in side]
    there = {n: side["columns"] for n, side in answer["sides"].items() if "columns" in side}
    lines.append(f"\nColumns compared: {there}")
    lines.append(f"\nDifferent numbers: {answer['differences'] or 'none'}")
    return "\n".join(lines)


def _ratios(sides: dict[str, Any]) -> dict[str, float]:
    ours = sides.get("ours", {}).get("best_s")
    if not ours:
        return {}
    return {n: round(side["best_s"] / ours, 2) for n, side in sides.items() if "best_s" in side}
