"""A made-up shop for the training room: a known risk, a season, customers seen several times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from churnguard.clock import DAY_US
from churnguard.training.dataset import Dataset
from churnguard.training.recipe import Recipe

NAMES = (
    "days_since_order",
    "orders_365d",
    "spend_365d",
    "order_gap_ratio",
    "mbgnbd_churn_risk",
    "bgnbd_churn_risk",
    "noise",
    "season_sin",
    "season_cos",
)


def made_up(
    customers: int = 250, cutoffs: int = 14, *, seed: int = 0, season: float = 0.6
) -> Dataset:
    """Rows 30 days apart whose churn follows two signals and the time of year."""
    rng = np.random.default_rng(seed)
    n = customers * cutoffs
    days = np.repeat(15_000 + 30 * np.arange(cutoffs), customers)
    turn = 2 * np.pi * days / 365.2425
    silence, habit = rng.exponential(60, n), rng.poisson(4, n).astype(float)
    margin = 0.02 * (silence - 60) - 0.35 * (habit - 4)
    y = rng.random(n) < 1 / (1 + np.exp(-(margin + season * np.sin(turn))))
    rough = 1 / (1 + np.exp(-(margin + rng.normal(0, 0.7, n))))
    ratio = np.where(rng.random(n) < 0.2, np.nan, silence / 30)
    columns = [silence, habit, habit * rng.lognormal(3, 0.5, n), ratio, rough, rough]
    columns += [rng.normal(size=n), np.sin(turn), np.cos(turn)]
    ids = np.array([f"C{number:05d}" for number in range(customers)])
    return Dataset(
        np.column_stack(columns),
        NAMES,
        y.astype(np.int8),
        np.tile(ids, cutoffs),
        (days * DAY_US).astype(np.int64),
        90,
    )


@pytest.fixture(scope="session")
def make_dataset() -> Callable[..., Dataset]:
    return made_up


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return made_up()


@pytest.fixture(scope="session")
def quick() -> Recipe:
    """The default recipe with few trees and few folds."""
    recipe = Recipe()
    return replace(
        recipe,
        boosted=replace(recipe.boosted, trees=30, learning_rate=0.1, seeds=2, min_rows=20),
        calibration=replace(recipe.calibration, time_blocks=2),
    )
