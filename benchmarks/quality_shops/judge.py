"""Judge the recipe beside every peer on one dataset, and say what may be told of it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from churnguard.training.backtest import MODEL, Backtest, backtest
from churnguard.training.comparison import Comparison, compare_models
from churnguard.training.recipe import Recipe
from quality_shops.peers import kept_peers
from quality_shops.rows import Rows, shop_rows
from quality_shops.shops import DATASETS

FIGURES = ("auc", "average_precision", "log_loss", "brier", "ece", "slope", "lift_10", "top_share")

RESAMPLES = 500
OURS = MODEL


def judge(name: str, recipe: Recipe, *, keep: Path | None, threads: int) -> dict[str, Any]:
    """Return a dataset's figures, JSON-ready: aggregates only, no customer.

    Parameters
    ----------
    name : str
        A dataset.
    recipe : Recipe
        What is judged.
    keep : Path, optional
        Where rows and figures are kept; kept figures of the same recipe are used again.
    threads : int
        Cutoffs judged at the same time.
    """
    digest = hashlib.blake2b(json.dumps(asdict(recipe)).encode(), digest_size=6).hexdigest()
    file = keep / f"{name}-{digest}.json" if keep else None
    if file is not None and file.is_file():
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return kept
    shop, began = DATASETS[name], time.perf_counter()
    rows = shop_rows(name, shop, recipe, keep=keep)
    built = time.perf_counter()
    judged = backtest(
        rows.dataset,
        recipe,
        cutoffs=rows.judge,
        look_back_days=shop.look_back_days,
        threads=threads,
        peers=kept_peers(rows, keep / f"{name}-peers.npz" if keep else None),
    )
    seconds = {"rows": built - began, "backtest": time.perf_counter() - built}
    answer = told(name, rows, judged, seconds={k: round(v, 1) for k, v in seconds.items()})
    if file is not None:
        file.write_text(json.dumps(answer, indent=1), encoding="utf-8")
    return answer


def told(
    name: str, rows: Rows, judged: Backtest, *, seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Return what is written down of a backtest."""
    compared = compare_models(judged, resamples=RESAMPLES) if judged.judged else ()
    return {
        "dataset": name,
        "rows": len(rows.dataset),
        "customers": len(np.unique(rows.dataset.customer_ids)),
        "signals": len(rows.dataset.names),
        "seconds": dict(seconds),
        **judged.to_dict(),
        "against": [one.to_dict() for one in compared],
        "verdict": {metric: verdict_of(compared, metric) for metric in ("log_loss", "auc")},
    }


def verdict_of(compared: Sequence[Comparison], metric: str) -> str:
    """Return ``best``, ``even`` with the best, or ``worse`` than one of the peers."""
    found = [one for one in compared if one.metric == metric]
    ahead = [one for one in found if (one.mean < 0) == (metric == "log_loss")]
    if not found:
        return "not judged"
    if any(one.verdict == "worse" for one in found):
        return "worse"
    return "best" if len(ahead) == len(found) else "even"


def average(answers: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return each model's figures, meaned over the datasets on which all of them were judged."""
    everywhere = [
        name for name in answers[0]["mean"] if all(name in answer["mean"] for answer in answers)
    ]
    return {
        name: {
            figure: float(np.mean([answer["mean"][name][figure] for answer in answers]))
            for figure in FIGURES
        }
        for name in everywhere
    }
