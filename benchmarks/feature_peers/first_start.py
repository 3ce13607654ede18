"""What compiling the loops costs: once ever, and at every later start."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from feature_peers.measure import measured
from feature_peers.side_by_side import write_events


def first_start(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Return import and first call of our side, with an empty cache and with a full one."""
    small = {"events": 10_000, "customers": 200, "parquet": False}
    table = write_events(argparse.Namespace(**(vars(options) | small)), work / "small.arrow")
    answer: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=work) as cache:
        for name in ("empty_cache", "cached"):
            found = measured(
                "ours",
                table,
                cutoffs=2,
                out=work / "small.result.arrow",
                environment={"NUMBA_CACHE_DIR": cache},
            )
            answer[name] = {key: found.get(key) for key in ("import_s", "warm_up_s", "best_s")}
        answer["cache_files"] = sum(1 for _ in Path(cache).rglob("*.nbc"))
    return answer


def as_text(answer: dict[str, Any]) -> str:
    """Return the two starts as a table in Markdown."""
    lines = ["| start | import | first call | second call |", "|---|---|---|---|"]
    starts = ("empty_cache", "cached")
    rows = [f"| {s} | {' | '.join(str(n) for n in answer[s].values())} |" for s in starts]
    return "\n".join([*lines, *rows])
