"""How often the 90 % interval holds: against the simulator's known risk and on real shops.

    python benchmarks/intervals.py [--shops 12] [--customers 1000] [--keep DIR] [--json]

The interval speaks of the churn rate among customers with one score, so groups of customers with
nearly equal scores are looked at: in simulated shops (each with another seed and another season at
the end) by the mean of their known risks, on public datasets by the rate that was observed, in
groups of 200 or more. A group is a sample of the customers with its score: the spread of the known
risks, or the binomial spread of the outcomes, over the root of its size is added to each side as a
variance, at the interval's own level. Slices are told with calibration in the large (mean risk less
the known or observed rate) and, from 200 rows on, expected calibration error.

The interval's widths were chosen while looking at simulated shops of seeds below 112 and at two
public datasets (``LOOKED_AT``); so seeds begin with 200 here, and the last line is the mean over
the others. ``--keep DIR`` keeps figures, and reads rows that ``quality.py`` kept there: a run that
is interrupted goes on. Kept figures are those of the constants they were made with: where these
change, take another folder.

Costs about 20 seconds of CPU a simulated shop and, with kept rows, a minute a public dataset.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from churnguard.events.simulation import SimulationPlan, simulate
from churnguard.events.simulation.season import shop_calendar
from churnguard.training.dataset import Dataset
from churnguard.training.fit import fit
from churnguard.training.metrics import ece
from churnguard.training.recipe import Recipe, read_recipe
from churnguard.training.slices import slices
from known_risk import known_risks
from quality_shops.rows import shop_rows
from quality_shops.shops import DATASETS
from shop_cuts import LIVELY, LOOK_BACK_DAYS, rows_of

Floats = NDArray[np.float64]

ROOT = Path(__file__).resolve().parent.parent
SIMULATED, LOOKED_AT = "simulated", ("online_retail_ii", "relax_logins")
REAL = tuple(name for name, shop in DATASETS.items() if not shop.reported_only)
SIMULATED_GROUP, REAL_GROUP = 75, 200
MOST_GROUPS = 10
REACH = float(special.ndtri(0.95))


def main() -> int:
    """Measure, and print."""
    asked = _asked()
    with tempfile.TemporaryDirectory() as folder:
        keep = asked.keep or Path(folder)
        keep.mkdir(parents=True, exist_ok=True)
        recipe = read_recipe(asked.recipe)
        seeds = range(asked.first_seed, asked.first_seed + asked.shops)
        told = [_simulated(keep, seed, recipe, asked) for seed in seeds]
        found = {SIMULATED: summary([one for shop in told for one in shop])}
        if not asked.no_real:
            real = {name: _real(keep, name, recipe, asked) for name in asked.datasets}
            found |= {name: summary(each) for name, each in real.items()}
            fresh = [one for name, each in real.items() if name not in LOOKED_AT for one in each]
            found["public, not looked at"] = summary(fresh)
    print(json.dumps(found, indent=1) if asked.json else to_text(found))
    return 0


def judge(
    dataset: Dataset,
    recipe: Recipe,
    cutoff: int,
    known: Floats | None,
    *,
    look_back_days: int = LOOK_BACK_DAYS,
    threads: int = 2,
) -> dict[str, Any]:
    """Fit on what was mature at a cutoff and look at its groups and slices.

    Parameters
    ----------
    known : ndarray of float64, optional
        Known risk of each row of the cutoff; the outcomes are looked at where there is none.
    look_back_days : int
        Half of it makes a customer dormant.
    threads : int
        Folds fitted at the same time.
    """
    now = dataset.take(dataset.cutoffs == cutoff)
    model = fit(dataset, recipe, until_us=cutoff, threads=threads)
    margins = model.margins(now.X)
    told = _Told(special.expit(margins), model.intervals(margins), now.y, known)
    size = REAL_GROUP if known is None else SIMULATED_GROUP
    count = int(np.clip(len(now) // size, 1, MOST_GROUPS))
    groups = np.array_split(np.argsort(margins, kind="stable"), count)
    return {
        "groups": [
            told.of(rows) | {"end": place in (0, count - 1)} for place, rows in enumerate(groups)
        ],
        "slices": {
            name: told.of(np.flatnonzero(mask))
            for name, mask in slices(now, look_back_days=look_back_days).items()
            if mask.sum() >= 20
        },
        "width": float((told.bounds[:, 1] - told.bounds[:, 0]).mean()),
    }


class _Told:
    """What a model told of one cutoff's customers, beside what is so."""

    def __init__(
        self, risks: Floats, bounds: Floats, y: NDArray[np.int8], known: Floats | None
    ) -> None:
        self.risks, self.bounds, self.y = risks, bounds, y
        self.true = y.astype(np.float64) if known is None else known
        self.drawn = known is None

    def of(self, rows: NDArray[np.intp]) -> dict[str, float | bool | int]:
        """Return whether the rate of some customers is in their mean interval, and how far off."""
        risk, rate = float(self.risks[rows].mean()), float(self.true[rows].mean())
        low, high = self.bounds[rows].mean(axis=0)
        spread = risk * (1 - risk) if self.drawn else float(self.true[rows].var())
        noise = REACH * np.sqrt(spread / len(rows))
        return {
            "rows": len(rows),
            "inside": bool(low <= rate <= high),
            "inside_with_noise": bool(
                risk - np.hypot(risk - low, noise) <= rate <= risk + np.hypot(high - risk, noise)
            ),
            "off": risk - rate,
            "ece": ece(self.y[rows], self.risks[rows]),
        }


def summary(judged: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the shares of groups and slices whose rate lay in their interval."""
    groups = [group for one in judged for group in one["groups"]]
    ends = [group for group in groups if group["end"]]
    by_slice: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in judged:
        for name, told in one["slices"].items():
            by_slice[name].append(told)
    if not judged:
        return {"cutoffs": 0, "groups": 0, "slices": {}}
    each = [np.mean([g["inside_with_noise"] for g in one["groups"]]) for one in judged]
    return {
        "cutoffs": len(judged),
        "groups": len(groups),
        "inside": _share(groups, "inside_with_noise"),
        "inside_se_by_cutoff": float(np.std(each) / np.sqrt(max(len(each), 1))),
        "inside_without_noise": _share(groups, "inside"),
        "inside_lowest_and_highest": _share(ends, "inside_with_noise"),
        "width": float(np.mean([one["width"] for one in judged])),
        "slices": {
            name: {
                "cutoffs": len(told),
                "inside": _share(told, "inside_with_noise"),
                "calibration_in_the_large": float(np.mean([one["off"] for one in told])),
                "ece": float(np.mean([one["ece"] for one in told])),
                "rows": float(np.mean([one["rows"] for one in told])),
            }
            for name, told in sorted(by_slice.items())
        },
    }


def _share(told: list[dict[str, Any]], name: str) -> float:
    return float(np.mean([one[name] for one in told])) if told else float("nan")


def to_text(found: dict[str, Any]) -> str:
    """Return tables for a person."""
    lines = ["| shop | cutoffs | groups | inside | lowest and highest | width |"]
    lines.append("|---|--:|--:|--:|--:|--:|")
    for shop, one in found.items():
        if not one["cutoffs"]:
            continue
        lines.append(
            f"| {shop} | {one['cutoffs']} | {one['groups']} | {one['inside']:.1%} "
            f"(s.e. {one['inside_se_by_cutoff']:.1%}) | {one['inside_lowest_and_highest']:.1%} | "
            f"{one['width']:.3f} |"
        )
    lines += ["", "| shop | slice | rows | inside | risk less rate | ECE |"]
    lines.append("|---|---|--:|--:|--:|--:|")
    for shop, one in found.items():
        for name, told in one["slices"].items():
            error = f"{told['ece']:.3f}" if told["rows"] >= REAL_GROUP else ""
            lines.append(
                f"| {shop} | {name} | {told['rows']:.0f} | {told['inside']:.1%} | "
                f"{told['calibration_in_the_large']:+.3f} | {error} |"
            )
    return "\n".join(lines)


def _simulated(
    keep: Path, seed: int, recipe: Recipe, asked: argparse.Namespace
) -> list[dict[str, Any]]:
    """Return a simulated shop's newest and oldest judged cutoffs; kept ones are read."""
    file = keep / f"intervals_{recipe.kind}_{asked.customers}_{seed}.json"
    if file.is_file():
        kept: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        return kept
    if time.monotonic() > asked.stop_at:
        return []
    end = datetime(2026, 11, 1, tzinfo=UTC) - timedelta(days=seed * 137 % 365)
    plan = SimulationPlan(
        customers=asked.customers, seed=seed, end=end, truth_every_days=365, **LIVELY
    )
    shop = simulate(plan)
    rows = rows_of(shop.events, recipe)
    starts = shop_calendar(plan).starts
    days = {
        int(np.searchsorted(starts, cut)): cut for cut in (rows.plan.judge[-1], rows.plan.judge[0])
    }
    risks = known_risks(plan, days)
    places = {name: place for place, name in enumerate(shop.customers["customer_id"].to_pylist())}
    found = []
    for day, cutoff in days.items():
        ids = rows.dataset.customer_ids[rows.dataset.cutoffs == cutoff]
        true = risks[day][[places[str(customer)] for customer in ids]]
        found.append(judge(rows.dataset, recipe, cutoff, true, threads=asked.threads))
    file.write_text(json.dumps(found), encoding="utf-8")
    print(f"simulated shop {seed}", file=sys.stderr, flush=True)
    return found


def _real(keep: Path, name: str, recipe: Recipe, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the judged cutoffs of a public dataset that have customers for a group."""
    file = keep / f"intervals_{recipe.kind}_{name}.json"
    if file.is_file():
        kept: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        return kept
    if time.monotonic() > asked.stop_at:
        return []
    shop = DATASETS[name]
    rows = shop_rows(name, shop, recipe, keep=keep)
    found = [
        judge(
            rows.dataset,
            recipe,
            cutoff,
            None,
            look_back_days=shop.look_back_days,
            threads=asked.threads,
        )
        for cutoff in rows.judge
        if (rows.dataset.cutoffs == cutoff).sum() >= REAL_GROUP
    ]
    file.write_text(json.dumps(found), encoding="utf-8")
    print(name, file=sys.stderr, flush=True)
    return found


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shops", type=int, default=12, help="simulated shops")
    parser.add_argument("--customers", type=int, default=1_000, help="of each")
    parser.add_argument("--recipe", type=Path, default=ROOT / "training" / "default.toml")
    parser.add_argument("--first-seed", type=int, default=200, help="of the simulated shops")
    parser.add_argument("--datasets", nargs="+", choices=REAL, default=list(REAL))
    parser.add_argument("--threads", type=int, default=2, help="folds fitted at the same time")
    parser.add_argument("--no-real", action="store_true", help="simulated shops only")
    parser.add_argument("--minutes", type=float, default=60, help="begin no shop after so long")
    parser.add_argument("--keep", type=Path, help="keep figures here, and go on from them")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    asked.stop_at = time.monotonic() + 60 * asked.minutes
    return asked


if __name__ == "__main__":
    sys.exit(main())
