"""The same shop with fewer and fewer customers: never worse than a simpler learner.

    python benchmarks/small_shops.py [--sizes 50 200] [--resamples 20] [--keep DIR] [--json]

Online Retail II and a simulated shop are cut to so many buyers drawn at random, all that is fitted
is fitted on these alone, and the default recipe (``auto``) is judged beside the own-rhythm rule and
the lifetime model at the same past cutoffs, on all the shop's other customers (where the cut leaves
too few, on its own): dozens would be too few to tell. Differences in log loss are paired within a
cut; their bounds are those of Student's t over the cuts. Even draws were looked at while the method
was chosen, so odd ones are reported (``--draws even`` for the others). Cuts of 1,000 and more are
judged at one cutoff. ``--keep DIR`` keeps every cut's figures: a run that is interrupted goes on.

Costs, of CPU: a minute for each shop's rows, then about 4 seconds a cut of 50 buyers,
8 of 200 and 20 of 1,000.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import stats

from churnguard.errors import NotEnoughHistory
from churnguard.scoring.context import ScoringContext
from churnguard.training.dataset import Dataset
from churnguard.training.fit import fit
from churnguard.training.metrics import auc, log_loss
from churnguard.training.recipe import Recipe, read_recipe
from shop_cuts import Rows, buyers, cut_to, online_retail, rows_of, simulated

ROOT = Path(__file__).resolve().parent.parent
SHOPS: Mapping[str, Callable[[Path], pa.Table]] = {
    "online_retail_ii": online_retail,
    "simulated": simulated,
}
SIMPLER = ("rhythm", "btyd")
FEWEST, LARGE = 500, 1_000
SIZES = (50, 200, 1_000, 4_000)
LIMIT = 0.01
"""How much worse in log loss the upper bound may be."""


def main() -> int:
    """Cut, judge, and print."""
    asked = _asked()
    with tempfile.TemporaryDirectory() as folder:
        keep = asked.keep or Path(folder)
        keep.mkdir(parents=True, exist_ok=True)
        recipe = read_recipe(asked.recipe)
        cuts = {
            shop: {
                size: [_kept(keep, (shop, size, seed), recipe, asked) for seed in _seeds(asked)]
                for size in asked.sizes
            }
            for shop in asked.shops
        }
    found = {
        shop: {size: summary([one for one in told if one]) for size, told in by_size.items()}
        for shop, by_size in cuts.items()
    }
    print(json.dumps(found, indent=1) if asked.json else to_text(found))
    return 0


def judge_cut(
    rows: Rows, customers: np.ndarray, recipe: Recipe, *, cutoffs: int, threads: int
) -> dict[str, Any]:
    """Judge the recipe and the simpler learners at the newest cutoffs of a cut.

    Returns
    -------
    dict
        By cutoff: log loss and AUC by learner, the interval's width, the share of customers who
        get no number, and the weights of the learners that have a say; and why there was no model.
    """
    judged = rows.plan.judge[-cutoffs:]
    own, others = cut_to(rows, customers, judged)
    told = [_judge(own, _unseen(own, others, cutoff), recipe, cutoff, threads) for cutoff in judged]
    whole = [one for one in told if isinstance(one, dict)]
    refused = [one for one in told if isinstance(one, str)]
    return {"cutoffs": whole, "refused": refused}


def _unseen(own: Dataset, others: Dataset, cutoff: int) -> Dataset:
    found = others.take(others.cutoffs == cutoff)
    return found if len(found) >= FEWEST else own.take(own.cutoffs == cutoff)


def _judge(
    dataset: Dataset, now: Dataset, recipe: Recipe, cutoff: int, threads: int
) -> dict[str, Any] | str:
    if not len(now):
        return "nobody is eligible"
    try:
        model = fit(dataset, recipe, until_us=cutoff, threads=threads)
    except NotEnoughHistory as refusal:
        return refusal.message
    bounds = model.intervals(model.margins(now.X))
    width = bounds[:, 1] - bounds[:, 0]
    risks = {"auto": model.risks(now.X)}
    for kind in SIMPLER:
        simple = fit(dataset, replace(recipe, kind=kind), until_us=cutoff, threads=threads)
        risks[kind] = simple.risks(now.X)
    return {
        "customers": len(now),
        "log_loss": {kind: log_loss(now.y, risk) for kind, risk in risks.items()},
        "auc": {kind: auc(now.y, risk) for kind, risk in risks.items()},
        "width": float(width.mean()),
        "abstained": float((width > ScoringContext.widest_interval).mean()),
        "weights": dict(model.choice.weights) if model.choice else {},
    }


def summary(cuts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return means over the cuts and the bounds of the paired differences."""
    whole = [one for one in cuts if one["cutoffs"]]
    told: dict[str, Any] = {
        "cuts": len(cuts),
        "cuts_without_a_model": len(cuts) - len(whole),
        "refusals": sorted({why for one in cuts for why in one["refused"]})[:3],
    }
    if not whole:
        return told
    for name in ("customers", "width", "abstained"):
        told[name] = _mean(whole, itemgetter(name)).mean()
    kinds = ("auto", *SIMPLER)
    for name in ("log_loss", "auc"):
        told[name] = {
            kind: float(np.nanmean(_mean(whole, partial(_figure, name, kind)))) for kind in kinds
        }
    told["against"] = {kind: _paired(whole, kind) for kind in SIMPLER}
    weighed = sorted({kind for one in whole for c in one["cutoffs"] for kind in c["weights"]})
    told["weights"] = {kind: float(_mean(whole, partial(_weight, kind)).mean()) for kind in weighed}
    return told


def _mean(cuts: list[dict[str, Any]], read: Callable[[dict[str, Any]], float]) -> np.ndarray:
    return np.array([np.mean([read(cutoff) for cutoff in one["cutoffs"]]) for one in cuts])


def _figure(name: str, kind: str, cutoff: Mapping[str, Any]) -> float:
    return float(cutoff[name][kind])


def _weight(kind: str, cutoff: Mapping[str, Any]) -> float:
    return float(cutoff["weights"].get(kind, 0.0))


def _paired(cuts: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """Return the mean difference to a simpler learner and its two-sided 95 % interval."""
    off = _mean(cuts, lambda c: c["log_loss"]["auto"] - c["log_loss"][kind])
    reach = float("nan")
    if len(off) > 1:
        reach = float(stats.t.ppf(0.975, len(off) - 1) * off.std(ddof=1) / np.sqrt(len(off)))
    upper = float(off.mean()) + reach
    return {
        "difference": float(off.mean()),
        "low": float(off.mean()) - reach,
        "high": upper,
        "never_worse": bool(upper < LIMIT),
    }


def to_text(found: dict[str, Any]) -> str:
    """Return a table for a person."""
    head = "| shop | buyers | cuts | no model | log loss | against rhythm | against btyd |"
    head += " interval | no number | weights |"
    lines = [head, "|---|--:|--:|--:|--:|---|---|--:|--:|---|"]
    for shop, by_size in found.items():
        for size, one in by_size.items():
            begin = f"| {shop} | {size:,} | {one['cuts']} | {one['cuts_without_a_model']} |"
            lines.append(begin + (_cells(one) if "against" in one else " | | | | | |"))
    return "\n".join(lines)


def _cells(one: dict[str, Any]) -> str:
    against = " | ".join(
        f"{told['difference']:+.4f} ({told['low']:+.4f} to {told['high']:+.4f})"
        for told in one["against"].values()
    )
    weights = ", ".join(f"{kind} {weight:.2f}" for kind, weight in one["weights"].items())
    return (
        f" {one['log_loss']['auto']:.4f} | {against} | {one['width']:.3f} | "
        f"{one['abstained']:.1%} | {weights} |"
    )


@cache
def _rows(shop: str, keep: Path, file: Path) -> Rows:
    return rows_of(SHOPS[shop](keep), read_recipe(file))


def _kept(
    keep: Path, which: tuple[str, int, int], recipe: Recipe, asked: argparse.Namespace
) -> dict[str, Any] | None:
    """Return a cut's figures: those kept, or else judged now, while the time lasts."""
    shop, size, seed = which
    file = keep / f"{shop}_{size}_{seed}.json"
    if file.is_file():
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return kept
    if time.monotonic() > asked.stop_at:
        return None
    rows = _rows(shop, keep, asked.recipe)
    drawn = np.random.default_rng([size, seed]).permutation(buyers(rows.events))[:size]
    cutoffs = 1 if size >= LARGE else asked.cutoffs
    found = judge_cut(rows, drawn, recipe, cutoffs=cutoffs, threads=asked.threads)
    file.write_text(json.dumps(found), encoding="utf-8")
    print(f"{shop}, {size} buyers, cut {seed}", file=sys.stderr, flush=True)
    return found


def _seeds(asked: argparse.Namespace) -> range:
    return range(asked.draws == "odd", 2 * asked.resamples, 2)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shops", nargs="+", choices=SHOPS, default=list(SHOPS))
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--resamples", type=int, default=20)
    parser.add_argument("--draws", choices=("odd", "even"), default="odd")
    parser.add_argument("--cutoffs", type=int, default=2, help="newest cutoffs judged in a cut")
    parser.add_argument("--recipe", type=Path, default=ROOT / "training" / "default.toml")
    parser.add_argument("--threads", type=int, default=2, help="folds fitted at the same time")
    parser.add_argument("--minutes", type=float, default=60, help="begin no cut after so long")
    parser.add_argument("--keep", type=Path, help="keep figures here, and go on from them")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    asked.stop_at = time.monotonic() + 60 * asked.minutes
    return asked


if __name__ == "__main__":
    sys.exit(main())
