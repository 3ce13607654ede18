"""The command's options, and which measurement they ask for."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from feature_peers import first_start, out_of_core, side_by_side, small_size, sweep
from feature_peers.measure import run_one

SIDES = "ours,polars,duckdb,pandas"

MEASUREMENTS = {
    "side-by-side": (side_by_side.side_by_side, side_by_side.as_text),
    "sweep": (sweep.sweep, sweep.as_text),
    "first-start": (first_start.first_start, first_start.as_text),
    "featuretools": (small_size.small_size, side_by_side.as_text),
    "out-of-core": (out_of_core.out_of_core, out_of_core.as_text),
}


def main() -> None:
    """Measure what was asked for, and print it."""
    options = _options().parse_args()
    inner = run_one if options.one else out_of_core.build_buckets
    if options.one or options.build_buckets:
        print(json.dumps(inner(options)))
        return
    measure, as_text = MEASUREMENTS[options.measurement]
    with tempfile.TemporaryDirectory(dir=options.work) as work:
        answer = measure(options, Path(work))
    print(json.dumps(answer, indent=1) if options.json else as_text(answer))
    if "failed" in answer.get("sides", {}).get("ours", {}):
        raise SystemExit("Our side failed, so nothing was compared.")
    if answer.get("differences"):
        raise SystemExit("The sides do not give the same numbers.")


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--customers", type=int, default=20_000)
    options.add_argument("--cutoffs", type=int, default=12)
    options.add_argument("--late", type=float, default=0.0, help="share of events told of late")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--sides", default=SIDES, help=f"of {SIDES}")
    options.add_argument("--repeats", type=int, default=1, help="the best one counts")
    options.add_argument("--parquet", action="store_true", help="from Parquet to Parquet")
    options.add_argument("--work", help="folder for temporary files")
    options.add_argument("--out", help="with --sweep: folder for table, JSON and plot")
    options.add_argument("--json", action="store_true")
    options.add_argument("--limit", type=float, help="seconds that a side may take (sweep: 60)")
    options.add_argument(
        "--budget", type=float, default=840, help="with --sweep: seconds until no peer is begun"
    )
    options.add_argument("--sweep-events", default="1000000,10000000")
    options.add_argument("--sweep-cutoffs", default="1,2,4,8,12,24")
    options.add_argument("--buckets", type=int, default=32, help="with --out-of-core")
    options.add_argument("--workers", type=int, default=2, help="with --out-of-core")
    _add_measurements(options)
    for inner in ("--one", "--table", "--result", "--build-buckets"):
        options.add_argument(inner, help=argparse.SUPPRESS)
    options.add_argument("--columns", default="all", help=argparse.SUPPRESS)
    return options


def _add_measurements(options: argparse.ArgumentParser) -> None:
    """Add one flag for each measurement; side by side if none is given."""
    options.set_defaults(measurement="side-by-side")
    told = {
        "sweep": "over --sweep-events and --sweep-cutoffs; needs no other size",
        "first-start": "what compiling costs: empty cache, and cached",
        "featuretools": "beside Featuretools, for the columns it has; take a small size",
        "out-of-core": "events in --buckets on disk in --work; rows to Parquet",
    }
    one = options.add_mutually_exclusive_group()
    for name, text in told.items():
        one.add_argument(
            f"--{name}", dest="measurement", action="store_const", const=name, help=text
        )
