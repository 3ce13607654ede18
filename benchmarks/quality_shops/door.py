"""The command of the benchmark: what is asked, and who answers."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from churnguard.training.recipe import read_recipe
from quality_shops.judge import judge
from quality_shops.page import keep_result, result, text, write_page
from quality_shops.shops import DATASETS, ROOT


def main() -> None:
    """Print the figures that were asked for, and write the page."""
    asked = _asked()
    recipe = read_recipe(asked.recipe)
    names = list(DATASETS) if asked.all else [asked.dataset]
    answers = []
    for name in names:
        print(f"== {name}", file=sys.stderr)
        answers.append(judge(name, recipe, keep=asked.keep, threads=asked.threads))
    if asked.write:
        keep_result("judged", {**result("judged"), **{one["dataset"]: one for one in answers}})
        write_page()
    print(json.dumps(answers, indent=1) if asked.json else text(answers))


def _asked() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=DATASETS, default="online_retail_ii")
    parser.add_argument("--all", action="store_true", help="every dataset")
    parser.add_argument("--recipe", type=Path, default=ROOT / "training" / "default.toml")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="keep rows and figures here, and use them again")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="write docs/quality.md")
    return parser.parse_args()
