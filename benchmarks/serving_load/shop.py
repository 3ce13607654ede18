"""The shop that is served: simulated, trained by the default recipe, and asked about a mixture."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MEDIAN_EVENTS, P99_EVENTS = 100, 500


@dataclass(frozen=True)
class ServedShop:
    """What the benchmark asks about.

    Attributes
    ----------
    root : Path
        The project.
    key : str
        An API key.
    model, version : str
        The registered model.
    customers : list of str
        Who have about 100 events at the median and 500 at the 99th percentile.
    events : dict
        What that came to.
    names : list of str
        The model's signals.
    rows : list of list of float
        Signals of those customers, as the kernel computes them; None where missing.
    """

    root: Path
    key: str
    model: str
    version: str
    customers: list[str]
    events: dict[str, float]
    names: list[str]
    rows: list[list[float | None]]


def make(root: Path, customers: int) -> None:
    """Make a project with a champion, by the commands that a shop would type."""
    events = root.parent / "simulated.parquet"
    here = ("--project", root)
    command("init", root)
    command("simulate", "--customers", customers, "--days", 500, "--seed", 7, "--out", events)
    command("ingest", events, *here)
    command("train", *here)


def look(root: Path) -> ServedShop:
    """Return what there is to ask about in a project."""
    import churnguard
    from churnguard.events.timeline import Timeline
    from churnguard.jobs.champion import champion_for
    from churnguard.jobs.scoring_context import feature_rows

    shop = churnguard.open_shop(root)
    champion = champion_for(shop, None)
    counted = shop.events.history()["customer_id"].value_counts().to_pylist()
    chosen = _mixture({row["values"]: row["counts"] for row in counted})
    timeline = Timeline.from_arrow(shop.events.events_of(list(chosen)))
    rows = feature_rows(timeline, champion, as_of=shop.clock())
    return ServedShop(
        root=root,
        key=command("keys", "create", "benchmark", "--project", root)["key"],
        model=shop.settings.name,
        version=champion.entry.version,
        customers=list(chosen),
        events={
            f"p{percent}": float(np.percentile(list(chosen.values()), percent))
            for percent in (50, 99)
        },
        names=list(rows.names),
        rows=[[None if np.isnan(v) else v for v in row] for row in rows.values.tolist()],
    )


def _mixture(counts: dict[str, int]) -> dict[str, int]:
    """Choose customers so that the number of events is about log-normal, as wanted."""
    random = np.random.default_rng(3)
    spread = np.log(P99_EVENTS / MEDIAN_EVENTS) / 2.326
    left = dict(sorted(counts.items()))
    chosen: dict[str, int] = {}
    for wanted in np.exp(random.normal(np.log(MEDIAN_EVENTS), spread, min(400, len(left) // 3))):
        nearest = min(left, key=lambda name: abs(left[name] - wanted))
        chosen[nearest] = left.pop(nearest)
    return chosen


def command(*words: object) -> Any:
    """Run a command and return its answer."""
    line = [sys.executable, "-m", "churnguard.cli", *map(str, words), "--json"]
    return json.loads(subprocess.run(line, capture_output=True, text=True, check=True).stdout)
