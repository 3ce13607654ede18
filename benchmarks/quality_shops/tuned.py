"""What a search of the recipe's numbers brings on one dataset."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnguard.training.comparison import Comparison, paired_means
from churnguard.training.fit import fit
from churnguard.training.metrics import all_metrics, row_log_loss
from churnguard.training.recipe import Recipe
from churnguard.training.tuning import tune
from quality_shops.judge import RESAMPLES
from quality_shops.rows import Rows, shop_rows
from quality_shops.shops import DATASETS

Floats = NDArray[np.float64]


def tuned(
    name: str, recipe: Recipe, *, trials: int, keep: Path | None, threads: int
) -> dict[str, Any]:
    """Search as ``train --trials`` does, then judge both recipes at the test cutoffs.

    Parameters
    ----------
    name : str
        A dataset.
    recipe : Recipe
        The recipe as it is.
    trials : int
        Trials of the search.
    keep : Path, optional
        Where rows are kept, and the study: a search that is interrupted goes on.
    threads : int
        Cutoffs judged at the same time.

    Returns
    -------
    dict
        ``plain`` and ``tuned`` figures, their ``difference`` in log loss with its interval, what
        was found, and what the search took.
    """
    rows, began = shop_rows(name, DATASETS[name], recipe, keep=keep), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = tune(
            rows.dataset,
            recipe,
            trials=trials,
            before_us=min(rows.judge),
            file=(keep or Path(folder)) / f"{name}-studies.log",
            threads=threads,
        )
    seconds = time.perf_counter() - began
    plain = _risks(rows, recipe, threads)
    better = _risks(rows, found.recipe, threads) if found.best.number else plain
    return {
        "trials": trials,
        "seconds": round(seconds, 1),
        "values": dict(found.best.values) if found.best.number else {},
        "plain": _mean(rows, plain),
        "tuned": _mean(rows, better),
        "difference": _difference(rows, plain, better).to_dict(),
    }


def _risks(rows: Rows, recipe: Recipe, threads: int) -> list[Floats]:
    data = rows.dataset

    def at(cutoff: int) -> Floats:
        model = fit(data, recipe, until_us=cutoff, threads=1)
        return model.risks(data.X[data.cutoffs == cutoff])

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(at, rows.judge))


def _mean(rows: Rows, risks: list[Floats]) -> Mapping[str, float]:
    data = rows.dataset
    found = [
        all_metrics(data.y[data.cutoffs == cutoff], risk)
        for cutoff, risk in zip(rows.judge, risks, strict=True)
    ]
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def _difference(rows: Rows, plain: list[Floats], better: list[Floats]) -> Comparison:
    data = rows.dataset
    places = [np.flatnonzero(data.cutoffs == cutoff) for cutoff in rows.judge]
    y, customers = data.y[np.concatenate(places)], data.customer_ids[np.concatenate(places)]
    less = row_log_loss(y, np.concatenate(better)) - row_log_loss(y, np.concatenate(plain))
    drawn = paired_means(less, customers, resamples=RESAMPLES, seed=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Comparison(
        "the recipe as it is", "log_loss", float(less.mean()), float(low), float(high)
    )
