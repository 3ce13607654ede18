"""How long the main job takes, command by command, and one score over HTTP at one connection.

``python benchmarks/journey.py [--customers 1000] [--json]``. Every step is the command a shop would
type, in a process of its own; times are wall-clock seconds on this machine, imports included.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

REQUESTS = 300


def main() -> None:
    """Run the journey and print its times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = run_journey(Path(folder) / "shop", options.customers)
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    for name, value in figures.items():
        print(f"{name:<28}{value:>12}")


def run_journey(root: Path, customers: int) -> dict[str, Any]:
    """Return seconds by step, and what was worked on."""
    here, events = ("--project", root), root / "simulated.parquet"
    steps: dict[str, tuple[object, ...]] = {
        "init": ("init", root),
        "simulate": (
            *("simulate", "--customers", customers, "--days", 600, "--out", events),
            *("--pace", 2.2, "--leaving", 0.35),
        ),
        "ingest": ("ingest", events, *here),
        "train": ("train", *here),
        "score": ("score", *here),
    }
    figures: dict[str, Any] = {"customers": customers}
    for name, words in steps.items():
        begin = time.perf_counter()
        answer = command(*words)
        figures[f"{name}, s"] = round(time.perf_counter() - begin, 1)
        if name == "ingest":
            figures["events"] = answer["rows"]
    return figures | serve_and_ask(root)


def serve_and_ask(root: Path) -> dict[str, Any]:
    """Return the time to a served page, and quantiles of one fresh score."""
    key = command("keys", "create", "benchmark", "--project", root)["key"]
    ids = scored_customers(root)
    begin = time.perf_counter()
    words = [sys.executable, "-m", "churnguard.cli", "serve", "--port", "0", "--project", str(root)]
    piped, dropped = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(words, stdout=piped, stderr=dropped, text=True) as server:
        line = next(line for line in server.stdout or () if "http://" in line)
        url = "http://" + line.split("http://")[1].split("/")[0]
        fetch(f"{url}/livez", key)
        started = time.perf_counter() - begin
        for customer in ids[:20]:
            fetch(f"{url}/v1/customers/{customer}/score", key)
        times = sorted(timed(f"{url}/v1/customers/{c}/score", key) for c in ids[:REQUESTS])
        server.terminate()
    return {
        "serve to first answer, s": round(started, 1),
        "one score p50, ms": round(times[len(times) // 2] * 1000, 1),
        "one score p99, ms": round(times[int(len(times) * 0.99) - 1] * 1000, 1),
    }


def scored_customers(root: Path) -> list[str]:
    """Return the ids of the customers who have a number."""
    out = root / "scores.csv"
    command("score", "--out", out, "--project", root)
    with out.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream)
        return [row["customer_id"] for row in rows if row["status"] == "scored"]


def command(*words: object) -> Any:
    """Run a command and return its answer."""
    line = [sys.executable, "-m", "churnguard.cli", *map(str, words), "--json"]
    return json.loads(subprocess.run(line, capture_output=True, text=True, check=True).stdout)


def timed(url: str, key: str) -> float:
    """Return the seconds of one request."""
    begin = time.perf_counter()
    fetch(url, key)
    return time.perf_counter() - begin


def fetch(url: str, key: str) -> bytes:
    """Return an answer's body."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        body: bytes = reply.read()
    return body


if __name__ == "__main__":
    main()
