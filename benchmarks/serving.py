"""One score over HTTP, one worker, beside ``mlflow models serve`` with the same model.

``python benchmarks/serving.py --json``. Servers and load generator are processes of their own on
127.0.0.1. ``--project DIR`` takes a project that has a champion instead of making one; ``--soak
MINUTES`` watches memory, files and threads at half capacity instead. Ratios are of one run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine_speed import yardstick_ms
from serving_load import servers
from serving_load.load import Target, get, post
from serving_load.shop import ServedShop, look, make
from serving_load.soak import soak

MANY = 16
OVERLOAD = 10
WITHOUT_QUOTA = {"requests_per_minute": 0}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, help="a project that has a champion")
    parser.add_argument("--customers", type=int, default=1_500)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--soak", type=float, metavar="MINUTES")
    parser.add_argument("--no-mlflow", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = options.project or Path(folder) / "shop"
        if options.project is None:
            make(root, options.customers)
        shop = look(root)
        if options.soak:
            figures = soak(shop, minutes=options.soak)
        else:
            figures = measure(shop, options.seconds, mlflow=not options.no_mlflow)
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    for name, values in figures.items():
        print(f"{name:<32}{json.dumps(values)}")


def measure(shop: ServedShop, seconds: float, *, mlflow: bool) -> dict[str, Any]:
    """Return all figures by what was measured."""
    figures: dict[str, Any] = {
        "events of a customer": shop.events,
        "signals": len(shop.names),
        "the machine's yardstick_ms": yardstick_ms(),
    }
    with servers.ours(shop.root, **WITHOUT_QUOTA) as (url, pid):
        body = Target(url, in_the_body(shop), pid)
        stored = Target(url, stored_events(shop), pid)
        for target in (body, stored):
            target.once()
        figures |= closed("features in the body", body, seconds)
        figures |= closed("stored events, kept timelines", stored, seconds)
        capacity = figures[f"stored events, kept timelines, {MANY}"]["per_second"]
        figures["stored, at half capacity"] = stored.open(capacity / 2, MANY, seconds)
        figures["stored, ten times too many"] = stored.open(capacity * OVERLOAD, 256, seconds / 2)
        figures["stored, after that"] = stored.open(capacity / 2, MANY, seconds / 2)
        say("ours", figures)
    with servers.ours(shop.root, **WITHOUT_QUOTA, timelines_mb=0) as (url, pid):
        cold = Target(url, stored_events(shop), pid)
        cold.once()
        figures |= closed("stored events, read each time", cold, seconds)
        say("without kept timelines", figures)
    if mlflow:
        with servers.mlflow_serving(shop.root, shop.model, shop.version) as (url, pid):
            theirs = Target(url, for_mlflow(shop), pid)
            theirs.once()
            figures |= closed("mlflow models serve", theirs, seconds)
        figures["times mlflow's"] = ratios(figures, "per_second")
        figures["processor time, mlflow's over ours"] = ratios(figures, "cpu_ms")
    return figures


def closed(name: str, target: Target, seconds: float) -> dict[str, Any]:
    """Return a closed loop's figures at 1 and at 16 connections."""
    return {f"{name}, {many}": target.closed(many, seconds) for many in (1, MANY)}


def in_the_body(shop: ServedShop) -> list[str]:
    """Return requests that bring the signals along."""
    items = zip(shop.customers, shop.rows, strict=True)
    return [
        post(
            "/v1/scores",
            {"items": [{"customer_id": name, "features": dict(zip(shop.names, row, strict=True))}]},
            shop.key,
        )
        for name, row in items
    ]


def stored_events(shop: ServedShop) -> list[str]:
    """Return requests by id, for whom signals are computed from stored events."""
    return [get(f"/v1/customers/{name}/score", shop.key) for name in shop.customers]


def for_mlflow(shop: ServedShop) -> list[str]:
    """Return the same rows as MLflow's scoring server takes them."""
    return [
        post("/invocations", {"dataframe_split": {"columns": shop.names, "data": [row]}})
        for row in shop.rows
    ]


def ratios(figures: dict[str, Any], what: str) -> dict[str, float]:
    """Return how many times better we are at 16 connections: by throughput, or by what it costs."""
    theirs = figures[f"mlflow models serve, {MANY}"][what]
    names = (
        "features in the body",
        "stored events, kept timelines",
        "stored events, read each time",
    )
    ours = {name: figures[f"{name}, {MANY}"][what] for name in names}
    if what == "per_second":
        return {name: round(value / theirs, 1) for name, value in ours.items()}
    return {name: round(theirs / value, 1) for name, value in ours.items()}


def say(what: str, figures: dict[str, Any]) -> None:
    """Tell on stderr how far it is."""
    print(f"{what}: {json.dumps(figures)}", file=sys.stderr)


if __name__ == "__main__":
    main()
