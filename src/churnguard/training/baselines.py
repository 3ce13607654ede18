"""What every report stands beside: recency, RFM logistic, BG/NBD, default LightGBM.

Each is fitted on the same mature rows as the recipe and judged at the same cutoff. A baseline whose
columns a shop does not have is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from churnguard.training.dataset import Dataset

Floats = NDArray[np.float64]
Baseline = Callable[[Dataset, Dataset], Floats | None]
"""``baseline(known, judged)`` returns the judged rows' risks, or None without its columns."""

RECENCY = ("days_since_order",)
RFM = ("days_since_order", "orders_365d", "spend_365d")
RF = RFM[:2]
BTYD = "bgnbd_churn_risk"


def recency(known: Dataset, judged: Dataset) -> Floats | None:
    """Logistic regression on the days since the last order."""
    return _logistic(known, judged, RECENCY)


def rfm(known: Dataset, judged: Dataset) -> Floats | None:
    """Logistic regression on recency, frequency and, where there is money, spend, in logs."""
    return _logistic(known, judged, RFM if RFM[2] in known.names else RF)


def bgnbd(known: Dataset, judged: Dataset) -> Floats | None:  # noqa: ARG001
    """BG/NBD's own probability, fitted on what was known at the cutoff."""
    risk = judged.column(BTYD)
    return None if risk is None else np.nan_to_num(risk, nan=0.5)


def default_lightgbm(known: Dataset, judged: Dataset) -> Floats | None:
    """LightGBM with its default parameters on all columns."""
    import lightgbm

    parameters = {
        "objective": "binary",
        "verbose": -1,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
    }
    rows = lightgbm.Dataset(np.asfortranarray(known.X), known.y)
    booster = lightgbm.train(parameters, rows, 100)
    return np.asarray(booster.predict(judged.X))


BASELINES: Mapping[str, Baseline] = {
    "recency": recency,
    "rfm logistic": rfm,
    "bg/nbd": bgnbd,
    "default lightgbm": default_lightgbm,
}
"""Every baseline by name."""


def _logistic(known: Dataset, judged: Dataset, columns: tuple[str, ...]) -> Floats | None:
    from sklearn.linear_model import LogisticRegression

    if any(name not in known.names for name in columns):
        return None
    places = [known.names.index(name) for name in columns]
    model = LogisticRegression(C=1e3, max_iter=500)
    model.fit(_logs(known.X[:, places]), known.y)
    return np.asarray(model.predict_proba(_logs(judged.X[:, places]))[:, 1])


def _logs(values: Floats) -> Floats:
    return np.log1p(np.maximum(np.nan_to_num(values), 0.0))
