"""The command of the benchmark: what is asked, and who answers."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from churnguard.training.recipe import Recipe, read_recipe
from quality_shops.judge import judge
from quality_shops.page import keep_result, result, text, write_page
from quality_shops.shops import DATASETS, ROOT
from quality_shops.tries import TRIES, try_out
from quality_shops.tuned import tuned


def main() -> None:
    """Print the figures that were asked for, and write the page."""
    asked = _asked()
    recipe = read_recipe(asked.recipe)
    names = list(DATASETS) if asked.all else [asked.dataset]
    if asked.tries:
        _try(asked, recipe, names)
        return
    if asked.tune:
        _tune(asked, recipe, names)
        return
    answers = []
    for name in names:
        print(f"== {name}", file=sys.stderr)
        answers.append(judge(name, recipe, keep=asked.keep, threads=asked.threads))
    if asked.write:
        keep_result("judged", {**result("judged"), **{one["dataset"]: one for one in answers}})
        write_page()
    print(json.dumps(answers, indent=1) if asked.json else text(answers))


def _try(asked: Any, recipe: Recipe, names: list[str]) -> None:
    """Judge changes of the recipe on the datasets that are counted."""
    kept = result("tries")
    for name in asked.tries:
        entry = kept.setdefault(name, {"datasets": {}})
        entry["what"] = TRIES[name].what
        for dataset in names:
            if not DATASETS[dataset].reported_only:
                found = try_out(name, dataset, recipe, keep=asked.keep, threads=asked.threads)
                entry["datasets"][dataset] = found
                print(f"{name} on {dataset}: {found}", file=sys.stderr, flush=True)
        if asked.write:
            keep_result("tries", kept)
            write_page()
    print(json.dumps({name: kept[name] for name in asked.tries}, indent=1))


def _tune(asked: Any, recipe: Recipe, names: list[str]) -> None:
    """Search the recipe's numbers on some datasets."""
    kept = result("tuning")
    for name in names:
        kept[name] = tuned(name, recipe, trials=asked.tune, keep=asked.keep, threads=asked.threads)
        if asked.write:
            keep_result("tuning", kept)
            write_page()
    print(json.dumps({name: kept[name] for name in names}, indent=1))


def _asked() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=DATASETS, default="online_retail_ii")
    parser.add_argument("--all", action="store_true", help="every dataset")
    parser.add_argument("--try", dest="tries", choices=TRIES, nargs="+", help="change the recipe")
    parser.add_argument("--tune", type=int, metavar="N", help="search its numbers in N trials")
    parser.add_argument("--recipe", type=Path, default=ROOT / "training" / "default.toml")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="keep rows and figures here, and use them again")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="write docs/quality.md")
    return parser.parse_args()
