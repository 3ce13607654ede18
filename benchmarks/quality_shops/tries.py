"""Changes of the recipe that were thought of, and what each brings on every dataset.

Changes of a learner are judged as ``train --trials`` does: one model a cutoff, slope and level set
on the judged rows, so that only what tells customers apart counts. Changes of the calibration are
judged by what the whole recipe says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnguard.training.fit import fit
from churnguard.training.metrics import log_loss
from churnguard.training.recipe import Recipe
from churnguard.training.scorers import fit_scorer
from quality_shops.rows import Rows, shop_rows
from quality_shops.shops import DATASETS

Floats = NDArray[np.float64]

EARLIER = 4
"""So many cutoffs before the test ones are looked at, where three or more were mature by then."""

_LEAST_MATURE = 3


@dataclass(frozen=True)
class Try:
    """A change of the recipe.

    Attributes
    ----------
    what : str
        For the page.
    of, to : callable
        The recipe without and with it, made from the recipe as it is.
    calibrated : bool
        Whether the whole recipe is judged, calibration included.
    """

    what: str
    of: Callable[[Recipe], Recipe]
    to: Callable[[Recipe], Recipe]
    calibrated: bool = False


def _trees(recipe: Recipe, **values: Any) -> Recipe:
    return replace(recipe, kind="boosted", boosted=replace(recipe.boosted, **values))


def _signals(recipe: Recipe, **values: Any) -> Recipe:
    return replace(recipe, kind="boosted", signals=replace(recipe.signals, **values))


def _map(recipe: Recipe, **values: Any) -> Recipe:
    return replace(recipe, kind="boosted", calibration=replace(recipe.calibration, **values))


_RISING = ("days_since_order", "order_gap_ratio", "mbgnbd_churn_risk", "bgnbd_churn_risk")
_FALLING = ("orders_90d", "orders_365d", "mbgnbd_alive", "mbgnbd_expected_orders_90d")

TRIES: Mapping[str, Try] = {
    "no_start": Try(
        "trees start from nothing instead of the lifetime model's risk",
        _map,
        lambda recipe: _signals(recipe, start=""),
        calibrated=True,
    ),
    "eight_leaves": Try(
        "8 leaves a tree, slower",
        _trees,
        lambda recipe: _trees(recipe, leaves=8, learning_rate=0.04),
    ),
    "twice_the_trees": Try("400 trees a seed", _trees, lambda recipe: _trees(recipe, trees=400)),
    "fewer_signals": Try(
        "a tree may see 30 % of the signals (as it did before)",
        _trees,
        lambda recipe: _trees(recipe, feature_share=0.3),
    ),
    "small_leaves": Try("leaves of 40 rows", _trees, lambda recipe: _trees(recipe, min_rows=40)),
    "one_way": Try(
        "the risk may only rise with silence, and fall with orders",
        _trees,
        lambda recipe: _signals(recipe, rising=_RISING, falling=_FALLING),
    ),
    "line": Try(
        "the linear model instead of trees", _trees, lambda recipe: replace(recipe, kind="linear")
    ),
    "fast_drift": Try(
        "the level forgets within 90 days, and wanders twice as far",
        _map,
        lambda recipe: _map(recipe, drift_sd=0.6, drift_days=90.0),
        calibrated=True,
    ),
    "no_season": Try(
        "the season is drift as well",
        _map,
        lambda recipe: _map(recipe, season_sd=0.0, drift_sd=0.6),
        calibrated=True,
    ),
}
"""Every change by name."""


def try_out(name: str, dataset: str, recipe: Recipe, *, keep: Path | None, threads: int) -> Any:
    """Return by how much a change moves the log loss of one dataset; less is better.

    Parameters
    ----------
    name, dataset : str
        What is tried, and on what.
    recipe : Recipe
        The recipe as it is.
    keep : Path, optional
        Where rows are kept.
    threads : int
        Cutoffs judged at the same time.

    Returns
    -------
    dict
        ``test``: at the test cutoffs; ``earlier``: at up to four before them, None where none is.
    """
    change, rows = TRIES[name], shop_rows(dataset, DATASETS[dataset], recipe, keep=keep)
    loss = _calibrated_loss if change.calibrated else _ranked_loss

    def difference(cutoff: int) -> float:
        without, with_it = change.of(recipe), change.to(recipe)
        return loss(rows, with_it, cutoff) - loss(rows, without, cutoff)

    found = {}
    with ThreadPoolExecutor(threads) as pool:
        for which, cutoffs in (("test", rows.judge), ("earlier", earlier(rows))):
            differences = list(pool.map(difference, cutoffs))
            found[which] = float(np.mean(differences)) if differences else None
    return found


def earlier(rows: Rows) -> list[int]:
    """Return the newest cutoffs before the test ones that have enough before them."""
    data, first = rows.dataset, min(rows.judge)
    usable = [
        cutoff
        for cutoff in np.unique(data.cutoffs).tolist()
        if cutoff < first
        and len(np.unique(data.cutoffs[data.mature(until_us=cutoff)])) >= _LEAST_MATURE
    ]
    return usable[-EARLIER:]


def _ranked_loss(rows: Rows, recipe: Recipe, cutoff: int) -> float:
    from sklearn.linear_model import LogisticRegression

    data = rows.dataset
    now = data.take(data.cutoffs == cutoff)
    scorer = fit_scorer(data.take(data.mature(until_us=cutoff)), recipe, threads=1)
    margins = scorer.margins(now.X)[:, None]
    line = LogisticRegression(C=1e3).fit(margins, now.y)
    return log_loss(now.y, line.predict_proba(margins)[:, 1])


def _calibrated_loss(rows: Rows, recipe: Recipe, cutoff: int) -> float:
    data = rows.dataset
    now = data.take(data.cutoffs == cutoff)
    return log_loss(now.y, fit(data, recipe, until_us=cutoff, threads=1).risks(now.X))
