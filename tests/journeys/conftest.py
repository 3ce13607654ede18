"""One small trained shop for all journeys that do not need a shop of their own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from churnguard.bootstrap import open_shop
from churnguard.events.simulation import SimulationPlan
from churnguard.jobs.ingest import ingest
from churnguard.jobs.ports import Shop
from churnguard.jobs.simulate import simulate_to
from churnguard.jobs.train import TrainingReport, train
from churnguard.project.template import create_project

NOW = datetime(2026, 11, 1, tzinfo=UTC)
QUICK = """
[cutoffs]
step_days = 45
backtests = 2
[boosted]
trees = 40
seeds = 2
min_rows = 40
"""


@dataclass(frozen=True)
class TrainedShop:
    """A simulated shop after ``init``, ``ingest`` and ``train``."""

    shop: Shop
    report: TrainingReport

    @property
    def root(self) -> Path:
        return self.shop.root


@pytest.fixture(scope="session")
def first_trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedShop:
    """Made once a process, and never handed to a test."""
    return make_trained_shop(tmp_path_factory.mktemp("trained") / "shop")


@pytest.fixture(scope="module")
def trained(first_trained: TrainedShop, tmp_path_factory: pytest.TempPathFactory) -> TrainedShop:
    """A copy for the tests of one file: what they leave in it, no other file finds."""
    root = tmp_path_factory.mktemp("trained") / "shop"
    shutil.copytree(first_trained.root, root)
    return TrainedShop(open_shop(root, clock=lambda: NOW, environ={}), first_trained.report)


def make_trained_shop(root: Path) -> TrainedShop:
    """Make a project of 500 simulated customers with a champion."""
    layout = create_project(root, currency="ILS")
    (layout.training / "quick.toml").write_text(QUICK, encoding="utf-8")
    shop = open_shop(root, clock=lambda: NOW, environ={})
    events = root / "events.parquet"
    plan = SimulationPlan(customers=500, days=500, end=NOW, pace=1.5, leaving=0.6, currency="ILS")
    simulate_to(events, plan)
    ingest(shop, [events])
    ingest(shop, [events.with_suffix(".customers.parquet")], kind="customers")
    return TrainedShop(shop, train(shop, recipe="quick"))
