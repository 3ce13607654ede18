"""Whether the reasons are true of the model, on a real shop.

``python benchmarks/reason_fidelity.py --json`` fits the recipe at past cutoffs on labels mature
then, gives every customer reasons, sets one family of signals after the other to what is usual,
scores again, and prints how often the risk moves the way the reason says. ``--keep DIR`` keeps the
project for the next run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from churnguard.clock import from_us
from churnguard.jobs.lesson import Lesson
from churnguard.scoring.fidelity import fidelity
from churnguard.scoring.peers import medians, usual_customer
from churnguard.scoring.reasons import ReasonWriter
from churnguard.training.fit import fit
from churnguard.training.recipe import Recipe, read_recipe
from quality_shops.rows import shop_lesson
from quality_shops.shops import DATASETS, ROOT


def main() -> None:
    """Print the figures."""
    asked = _asked()
    recipe = read_recipe(asked.recipe)
    with tempfile.TemporaryDirectory() as folder:
        root = asked.keep or Path(folder) / "shop"
        lesson = shop_lesson(asked.dataset, DATASETS[asked.dataset], recipe, root)
    cutoffs = lesson.plan.judge[-asked.cutoffs :]
    found = [measured(lesson, recipe, cutoff, threads=asked.threads) for cutoff in cutoffs]
    if asked.json:
        print(json.dumps({"dataset": asked.dataset, "cutoffs": found}, indent=1))
        return
    for one in found:
        for name, figures in one["figures"].items():
            shown = figures["shown"]
            print(
                f"{one['cutoff']}  {name:<22} right sign {shown['right_sign']:.1%}  "
                f"rank correlation {shown['rank_correlation']:.3f}  of {shown['reasons']} reasons"
            )


def measured(lesson: Lesson, recipe: Recipe, cutoff: int, *, threads: int) -> dict[str, Any]:
    """Return the figures at one cutoff, for reasons from the usual customer and from the base."""
    data = lesson.dataset
    known = data.take(data.mature(until_us=cutoff))
    model = fit(known, recipe, until_us=cutoff, threads=threads)
    newest = known.take(known.cutoffs == known.cutoffs.max())
    peers = medians(newest.X, newest.names)
    writer = ReasonWriter(lesson.catalogue.subset(data.names), peers=peers)
    usual = model.contributions(usual_customer(peers, data.names)[None, :])[0]
    rows = data.take(data.cutoffs == cutoff).X
    figures = {
        "own usual": fidelity(model, writer, rows, usual=usual, to="own").to_dict(),
        "peers' usual": fidelity(model, writer, rows, usual=usual, to="peers").to_dict(),
        "the named signal alone": fidelity(
            model, writer, rows, usual=usual, to="own", moved="signal"
        ).to_dict(),
        "from the model's base": fidelity(model, writer, rows, usual=None, to="own").to_dict(),
    }
    shares = model.contributions(rows)
    return {
        "cutoff": f"{from_us(cutoff):%Y-%m-%d}",
        "largest_error_of_a_sum": float(np.abs(shares.sum(axis=1) - model.margins(rows)).max()),
        "figures": figures,
    }


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=DATASETS, default="online_retail_ii")
    parser.add_argument("--recipe", type=Path, default=ROOT / "training" / "default.toml")
    parser.add_argument("--cutoffs", type=int, default=1, help="the newest so many")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="keep the project here, and use it again")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
