"""What ChurnGuard is judged beside: the baselines of every report, and two stronger peers.

Each peer learns from the same mature rows and says P(no order in the horizon) of the judged ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from churnguard.training.baselines import BASELINES, Baseline
from churnguard.training.dataset import Dataset
from quality_shops.rows import Rows

Floats = NDArray[np.float64]

SEASON_AWARE = "season-aware lightgbm"

_PARAMETERS = {
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 15,
    "min_data_in_leaf": 100,
    "lambda_l2": 10.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "verbose": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
}
_TREES, _SEEDS = 200, 3


def peers_of(rows: Rows) -> Mapping[str, Baseline]:
    """Return every peer by name, for one dataset.

    The lifetime models look as far ahead as the dataset's own horizon.
    """
    lifetime = {name: _looked_up(rows, name) for name in rows.lifetime}
    return {**BASELINES, **lifetime, SEASON_AWARE: season_aware}


def kept_peers(rows: Rows, file: Path | None) -> Mapping[str, Baseline]:
    """Return every peer, its risks read from a file, or computed once and kept there.

    No peer depends on the recipe, so another recipe can be judged beside the same risks.
    """
    peers = peers_of(rows)
    if file is None:
        return peers
    if not file.is_file():
        np.savez_compressed(file, **cast("dict[str, Any]", _all_risks(rows, peers)))
    with np.load(file, allow_pickle=False) as kept:
        return {name: _at_cutoff(rows.dataset, kept[name]) for name in peers if name in kept}


def _all_risks(rows: Rows, peers: Mapping[str, Baseline]) -> dict[str, Floats]:
    """Return each peer's risks of all rows, NaN where a row is not judged."""
    data = rows.dataset
    found = {}
    for name, peer in peers.items():
        risks = np.full(len(data), np.nan)
        for cutoff in rows.judge:
            now = data.cutoffs == cutoff
            told = peer(data.take(data.mature(until_us=cutoff)), data.take(now))
            if told is not None:
                risks[now] = told
        if not np.isnan(risks[np.isin(data.cutoffs, rows.judge)]).any():
            found[name] = risks
    return found


def season_aware(known: Dataset, judged: Dataset) -> Floats:
    """LightGBM, held back, three seeds, on all cutoffs of the year with the season as a column."""
    import lightgbm

    found = [
        lightgbm.train(
            {**_PARAMETERS, "seed": seed}, lightgbm.Dataset(known.X, known.y), _TREES
        ).predict(judged.X)
        for seed in range(_SEEDS)
    ]
    return np.asarray(np.mean(found, axis=0))


def _looked_up(rows: Rows, name: str) -> Baseline:
    return _at_cutoff(rows.dataset, np.nan_to_num(rows.lifetime[name], nan=0.5))


def _at_cutoff(dataset: Dataset, risks: Floats) -> Baseline:
    def peer(known: Dataset, judged: Dataset) -> Floats:  # noqa: ARG001
        return np.asarray(risks[dataset.cutoffs == judged.cutoffs[0]])

    return peer
