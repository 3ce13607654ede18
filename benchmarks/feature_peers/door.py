"""The command's options, and which measurement they ask for."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from feature_peers.measure import run_one
from feature_peers.side_by_side import as_text, side_by_side

SIDES = "ours,polars,duckdb,pandas"


def main() -> None:
    """Measure what was asked for, and print it."""
    options = _options().parse_args()
    if options.one:
        print(json.dumps(run_one(options)))
        return
    with tempfile.TemporaryDirectory(dir=options.work) as work:
        answer = side_by_side(options, Path(work))
    print(json.dumps(answer, indent=1) if options.json else as_text(answer))
    if answer["differences"]:
        raise SystemExit("The sides do not give the same numbers.")


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--customers", type=int, default=20_000)
    options.add_argument("--cutoffs", type=int, default=12)
    options.add_argument("--late", type=float, default=0.0, help="share of events told of late")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--sides", default=SIDES, help=f"of {SIDES}")
    options.add_argument("--repeats", type=int, default=1)
    options.add_argument("--parquet", action="store_true", help="from Parquet to Parquet")
    options.add_argument("--work", help="folder for temporary files")
    options.add_argument("--json", action="store_true")
    options.add_argument("--columns", choices=["all", "searched"], default="all")
    options.add_argument("--one", help=argparse.SUPPRESS)
    options.add_argument("--table", help=argparse.SUPPRESS)
    options.add_argument("--result", help=argparse.SUPPRESS)
    return options
