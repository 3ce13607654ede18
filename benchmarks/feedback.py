"""A good campaign ruins a naive model: what is learned from customers whom it kept.

    python benchmarks/feedback.py [--customers 1500] [--rounds 3] [--json]

A made-up shop whose true untreated risk is known retrains after each campaign. Each campaign
contacts the customers whom the model finds riskiest, all but a tenth drawn at random, and keeps
most of them. The same shop is learned from naively, by weight, and (as no shop can) with the
untreated outcomes. All three are judged by the untreated risk of new customers.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import special

from churnguard.clock import DAY_US
from churnguard.policy.holdout import Holdout
from churnguard.training.dataset import Dataset
from churnguard.training.fit import fit
from churnguard.training.metrics import all_metrics, log_loss
from churnguard.training.model import TrainedModel
from churnguard.training.recipe import Recipe, TreatmentRecipe
from churnguard.training.treatment import TREATMENT_SCHEMA, TreatmentReport, untreated

Floats = NDArray[np.float64]

NAMES = ("days_since_order", "orders_365d", "order_gap_ratio", "noise")
CUTOFFS, STEP_DAYS, HORIZON = 5, 30, 90
KEEPS = -2.5
"""What a contact does to the log-odds of leaving: it keeps more than one of two who would leave."""

RECIPE = Recipe.from_dict(
    {
        "boosted": {"trees": 60, "learning_rate": 0.1, "seeds": 1, "min_rows": 30},
        "calibration": {"time_blocks": 2},
        "signals": {"season": [], "start": ""},
    }
)


@dataclass(frozen=True)
class World:
    """Rows of a shop with what no shop knows: the risk of each if nothing is done.

    Attributes
    ----------
    data : Dataset
        Its labels are what happens if nothing is done.
    untreated : ndarray of float64, shape (n,)
        True risk if nothing is done.
    kept : ndarray of int8, shape (n,)
        What happens if the customer is contacted.
    """

    data: Dataset
    untreated: Floats
    kept: NDArray[np.int8]


def main() -> int:
    """Simulate, and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--customers", type=int, default=1_500)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--json", action="store_true")
    args = asked.parse_args()
    began = time.perf_counter()
    answer = campaign_years(args.customers, args.rounds)
    answer["seconds"] = round(time.perf_counter() - began, 1)
    print(json.dumps(answer, indent=1) if args.json else to_text(answer))
    return 0


def campaign_years(customers: int, rounds: int, *, seed: int = 1) -> dict[str, Any]:
    """Run campaigns by each model's own list, retrain, and judge after each round."""
    new = make_world(4 * customers, start_day=0, seed=seed + 1_000)
    first = make_world(customers, start_day=0, seed=seed)
    before = fit(first.data, RECIPE, until_us=_end(first.data))
    found: dict[str, Any] = {"before any campaign": judge(before, new)}
    for how in ("naive", "weighted", "untreated outcomes"):
        model, told = before, []
        for number in range(rounds):
            world = make_world(customers, start_day=400 * (number + 1), seed=seed + number + 1)
            learned, report = after_campaign(world, model, how)
            model = fit(learned, RECIPE, until_us=_end(learned))
            told.append(judge(model, new) | {"treatment": report.to_dict() if report else None})
        found[how] = told
    return {"customers": customers, "rounds": rounds, "models": found}


def make_world(customers: int, *, start_day: int, seed: int) -> World:
    """Draw rows 30 days apart whose untreated risk follows two signals."""
    rng = np.random.default_rng(seed)
    n = customers * CUTOFFS
    silence, habit = rng.exponential(60, n), rng.poisson(4, n).astype(float)
    margin = 0.02 * (silence - 60) - 0.35 * (habit - 4)
    chance = rng.random(n)
    days = start_day + STEP_DAYS * np.repeat(np.arange(CUTOFFS), customers)
    # One row a customer, so that a contact belongs to one cutoff.
    data = Dataset(
        np.column_stack([silence, habit, silence / 30, rng.normal(size=n)]),
        NAMES,
        (chance < special.expit(margin)).astype(np.int8),
        np.array([f"{seed}-{number:06d}" for number in range(n)]),
        (days * DAY_US).astype(np.int64),
        HORIZON,
    )
    kept = (chance < special.expit(margin + KEEPS)).astype(np.int8)
    return World(data, np.asarray(special.expit(margin)), kept)


def after_campaign(
    world: World, model: TrainedModel, how: str, *, share: float = 0.1
) -> tuple[Dataset, TreatmentReport | None]:
    """Contact the riskiest third but those held out; return what is then learned from."""
    data = world.data
    risks = model.risks(data.X)
    asked = risks >= np.quantile(risks, 2 / 3)
    holdout = Holdout(b"the key of this simulation", share=share)
    held = np.array([group == "control" for group in holdout.groups(list(data.customer_ids))])
    contacted = asked & ~held
    seen = replace(data, y=np.where(contacted, world.kept, data.y).astype(np.int8))
    if how == "untreated outcomes":
        return data, None
    at = data.cutoffs + 3 * DAY_US
    decisions = pa.table(
        {
            "customer_id": data.customer_ids[asked].tolist(),
            "decided_at": at[asked],
            "action": ["win_back_coupon"] * int(asked.sum()),
            "held_out": held[asked],
            "propensity": np.where(held[asked], share, 1 - share),
            "treated_at": pa.array(at[asked] + DAY_US, mask=held[asked]),
        },
        schema=TREATMENT_SCHEMA,
    )
    mode = "ignore" if how == "naive" else "weight"
    return untreated(seen, decisions, TreatmentRecipe(mode=mode))


def judge(model: TrainedModel, world: World) -> dict[str, float]:
    """Hold a model against the untreated risk of customers whom it never saw."""
    risk, y = model.risks(world.data.X), world.data.y
    riskiest = world.untreated >= np.quantile(world.untreated, 2 / 3)
    figures = all_metrics(y, risk, contacts=len(y) // 10)
    return {
        "log_loss": round(figures["log_loss"], 4),
        "best_log_loss": round(log_loss(y, world.untreated), 4),
        "auc": round(figures["auc"], 4),
        "ece": round(figures["ece"], 4),
        "said_of_the_riskiest_third": round(float(risk[riskiest].mean()), 3),
        "true_of_the_riskiest_third": round(float(world.untreated[riskiest].mean()), 3),
    }


def to_text(answer: dict[str, Any]) -> str:
    """Return a table for a person."""
    shown = {
        "log_loss": "log loss",
        "auc": "AUC",
        "ece": "ECE",
        "said_of_the_riskiest_third": "said of riskiest 1/3",
        "true_of_the_riskiest_third": "true of them",
    }
    lines = [f"{'learned from':<32}" + "".join(f"{word:>{_WIDE}}" for word in shown.values())]
    for how, told in answer["models"].items():
        for number, one in enumerate(told if isinstance(told, list) else [told], start=1):
            title = f"{how}, campaign {number}" if isinstance(told, list) else how
            lines.append(f"{title:<32}" + "".join(f"{one[name]:>{_WIDE}}" for name in shown))
    return "\n".join([*lines, f"{answer['seconds']} s"])


_WIDE = 22


def _end(data: Dataset) -> int:
    return int(data.cutoffs.max()) + data.horizon_us


if __name__ == "__main__":
    sys.exit(main())
