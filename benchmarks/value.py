"""How good the estimates of value are, on a real shop, beside simple ones.

``python benchmarks/value.py --json`` takes Online Retail II in, and compares at past cutoffs what
was expected of each customer with the net spend that came: over the horizon, with a model fitted on
labels mature then, and over a year. ``--keep DIR`` keeps the project for the next run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US, from_us
from churnguard.events.schema import MONEY_SCALE
from churnguard.events.timeline import MISSING, Timeline
from churnguard.jobs.lesson import Lesson
from churnguard.policy.value import (
    expected_value,
    expected_value_year,
    expected_values,
    mean_spend,
)
from churnguard.training.dataset import Dataset
from churnguard.training.fit import fit
from churnguard.training.recipe import Recipe, read_recipe
from churnguard.training.value import value_figures
from quality_shops.rows import shop_lesson
from quality_shops.shops import DATASETS, ROOT

Floats = NDArray[np.float64]
SHOWN = ("mae", "rmse", "rank_correlation", "total", "calibration", "top_tenth")
YEAR = 365


def main() -> None:
    """Print the figures."""
    asked = _asked()
    recipe = read_recipe(asked.recipe)
    with tempfile.TemporaryDirectory() as folder:
        root = asked.keep or Path(folder) / "shop"
        lesson = shop_lesson(asked.dataset, DATASETS[asked.dataset], recipe, root)
    found = {
        "horizon": _compared(lesson, recipe, lesson.plan.judge, lesson.dataset.horizon_days),
        "year": _compared(lesson, None, _a_year_ago(lesson), YEAR),
    }
    if asked.json:
        print(json.dumps({"dataset": asked.dataset, **found}, indent=1))
        return
    for span, by_name in found.items():
        print(f"\n| {span} | " + " | ".join(SHOWN) + " |\n|---|" + "---:|" * len(SHOWN))
        for name, cutoffs in by_name.items():
            means = [np.mean([figures[key] for figures in cutoffs.values()]) for key in SHOWN]
            print(f"| {name} | " + " | ".join(f"{mean:.3f}" for mean in means) + " |")


def _a_year_ago(lesson: Lesson) -> tuple[int, ...]:
    """Return the four newest cutoffs with a whole year after them."""
    latest = lesson.history.data_end - YEAR * DAY_US
    return tuple(cutoff for cutoff in lesson.plan.all if cutoff <= latest)[-4:]


def _compared(
    lesson: Lesson, recipe: Recipe | None, cutoffs: tuple[int, ...], days: int
) -> dict[str, dict[str, dict[str, Any]]]:
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for cutoff in cutoffs:
        rows = lesson.dataset.take(lesson.dataset.cutoffs == cutoff)
        came = _net_spend(lesson.history.timelines, rows, cutoff, days)
        for name, expected in _estimates(lesson.dataset, rows, recipe, cutoff, days).items():
            figures = value_figures(came, expected).to_dict()
            found.setdefault(name, {})[f"{from_us(cutoff):%Y-%m-%d}"] = figures
    return found


def _estimates(
    data: Dataset, rows: Dataset, recipe: Recipe | None, cutoff: int, days: int
) -> Mapping[str, Floats]:
    """Return every estimate of the net spend of some customers over so many days."""
    spend, orders = _column(rows, "net_spend_365d"), _column(rows, "orders_365d")
    mean = mean_spend(spend)
    shrunk = expected_values(spend, orders, shop_mean_spend=mean, horizon_days=days, margin=1.0)
    by_rhythm = _column(rows, "expected_spend_90d")
    filled = np.where(np.isnan(by_rhythm), mean * 90 / YEAR, by_rhythm) * days / 90
    found = {
        "past year as it was": np.maximum(np.nan_to_num(spend), 0.0) * days / YEAR,
        "last 90 days as they were": np.nan_to_num(_column(rows, "spend_90d")) * days / 90,
        "past year, shrunk (if it stays)": shrunk,
        "MBG/NBD x Gamma-Gamma": filled,
    }
    if recipe is None:
        found["expected_value_year"] = expected_value_year(
            spend, shrunk, expected_spend=by_rhythm, margin=1.0
        )
    else:
        model = fit(data.take(data.mature(until_us=cutoff)), recipe, until_us=cutoff)
        found["expected_value"] = expected_value(
            model.risks(rows.X),
            shrunk,
            expected_spend=by_rhythm,
            rhythm_risk=_column(rows, "mbgnbd_churn_risk"),
            horizon_days=days,
            margin=1.0,
        )
    return found


def _column(rows: Dataset, name: str) -> Floats:
    column = rows.column(name)
    return np.full(len(rows), np.nan) if column is None else column


def _net_spend(timelines: list[Timeline], rows: Dataset, cutoff: int, days: int) -> Floats:
    """Return what each row's customer spent in the days after, refunds taken off."""
    place = {customer: row for row, customer in enumerate(rows.customer_ids.tolist())}
    came = np.zeros(len(rows))
    for timeline in timelines:
        for event, sign in (("order_completed", 1.0), ("order_refunded", -1.0)):
            track = timeline.track(event)
            money = track.read("value")
            inside = (track.occurred >= cutoff) & (track.occurred < cutoff + days * DAY_US)
            inside &= money != MISSING
            ids = timeline.customer_ids[track.customer[inside]]
            for customer, amount in zip(ids, money[inside], strict=True):
                if customer in place:
                    came[place[customer]] += sign * amount / MONEY_SCALE
    return came


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=DATASETS, default="online_retail_ii")
    parser.add_argument("--recipe", type=Path, default=ROOT / "training" / "default.toml")
    parser.add_argument("--keep", type=Path, help="keep the project here, and use it again")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
