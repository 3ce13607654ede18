"""General AutoML on the same rows: AutoGluon, in an environment of its own.

AutoGluon brings half a machine-learning zoo, so it is no dependency; make an environment for it::

    uv venv /tmp/autogluon && uv pip install -p /tmp/autogluon/bin/python \
        "autogluon.tabular[lightgbm,catboost,xgboost]"
    python benchmarks/quality.py --dataset online_retail_ii --keep /tmp/rows
    /tmp/autogluon/bin/python benchmarks/quality_autogluon.py /tmp/rows/online_retail_ii.npz

It learns from the rows whose labels were mature at each test cutoff, for ``--seconds`` each, and
scores the cutoff once. ``--write`` keeps the figures for ``docs/quality.md``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).resolve().parent / "quality_shops" / "results"
DAY_US = 86_400_000_000


def main() -> None:
    """Print the figures of every cutoff."""
    asked = _asked()
    with np.load(asked.rows, allow_pickle=False) as kept:
        told = json.loads(str(kept["told"]))
        X, y, cutoffs = kept["X"], kept["y"], kept["cutoffs"]
    mature = cutoffs + told["horizon_days"] * DAY_US
    found = []
    for cutoff in told["judge"][-asked.cutoffs :]:
        known, now = mature <= cutoff, cutoffs == cutoff
        risks = _risks(X[known], y[known], X[now], told["names"], asked.seconds)
        day = datetime.fromtimestamp(cutoff / 1e6, UTC).date().isoformat()
        found.append({"cutoff": day, **_figures(y[now], risks)})
        print(json.dumps(found[-1]), flush=True)
    answer = {
        "dataset": asked.rows.stem,
        "version": version("autogluon.tabular"),
        "day": datetime.now(UTC).date().isoformat(),
        "seconds": asked.seconds,
        "cutoffs": found,
    }
    if asked.write:
        file = RESULTS / "autogluon.json"
        file.write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")


def _risks(X: Any, y: Any, judged: Any, names: list[str], seconds: int) -> Any:
    import pandas as pd
    from autogluon.tabular import TabularPredictor

    rows = pd.DataFrame(X, columns=names).assign(churned=y)
    with tempfile.TemporaryDirectory() as folder:
        predictor = TabularPredictor("churned", eval_metric="log_loss", path=folder, verbosity=1)
        predictor.fit(rows, time_limit=seconds)
        return predictor.predict_proba(pd.DataFrame(judged, columns=names))[1].to_numpy()


def _figures(y: Any, risks: Any) -> dict[str, float]:
    from sklearn.metrics import log_loss, roc_auc_score

    parts = np.array_split(np.argsort(risks, kind="stable"), 10)
    gaps = [len(part) * abs(float(y[part].mean() - risks[part].mean())) for part in parts]
    return {
        "auc": float(roc_auc_score(y, risks)),
        "log_loss": float(log_loss(y, risks)),
        "ece": sum(gaps) / len(y),
    }


def _asked() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path, help="rows that quality.py --keep has kept")
    parser.add_argument("--seconds", type=int, default=120, help="time limit a cutoff")
    parser.add_argument("--cutoffs", type=int, default=4, help="so many of the newest test cutoffs")
    parser.add_argument("--write", action="store_true", help="keep the figures for the page")
    return parser.parse_args()


if __name__ == "__main__":
    main()
