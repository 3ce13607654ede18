"""The proof of no look-ahead on whole shops, and a signal of one's own from its file to a score."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from churnguard.bootstrap import open_shop
from churnguard.clock import iso, parse_instant
from churnguard.events.simulation import SimulationPlan
from churnguard.jobs.check import check
from churnguard.jobs.ingest import ingest
from churnguard.jobs.leakage import check_leakage
from churnguard.jobs.simulate import simulate_to
from churnguard.jobs.train import train
from churnguard.project.template import create_project
from churnguard.testing import FakeEventStore

NOW = parse_instant("2026-11-01", "UTC")
QUICK = (
    "[cutoffs]\nstep_days = 45\nbacktests = 1\n[boosted]\ntrees = 10\nseeds = 1\nmin_rows = 40\n"
)


@pytest.mark.timeout(300)
def test_a_simulated_shop_passes_and_is_ready(trained) -> None:
    """A shop with every kind of event, some late: ready to train, and nothing looks ahead."""
    readiness = check(trained.shop, recipe="quick")
    assert readiness.ready
    assert set(readiness.left_out) == {"subscriptions"}
    assert [count.cutoff for count in readiness.cutoffs]
    found = check_leakage(
        trained.shop,
        scratch=lambda _: FakeEventStore(),
        cutoffs=[parse_instant("2026-06-01", "UTC"), parse_instant("2026-09-01", "UTC")],
    )
    assert found.passed, found.to_text()
    assert found.columns == sum(readiness.families.values())
    assert [outcome.rows > 0 for outcome in found.outcomes] == [True] * 6


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(300)
def test_a_real_shop_passes(tmp_path: Path, data_dir: Path) -> None:
    """Online Retail II by the command line, on a sample that the verdict states."""
    root = tmp_path / "retail"
    create_project(root, currency="GBP")
    sheets = sorted((data_dir / "online_retail_ii").glob("*.parquet"))
    command(root, "ingest", *sheets, "--preset", "online-retail", "--known-lag", "1d")
    verdict = command(root, "check", "--leakage", "--cutoff", "2011-09-11")
    assert verdict["passed"] is True
    assert verdict["assumed_clock_share"] == 1.0
    assert verdict["sample"]["customers"] == verdict["sample"]["customers_in_all"] > 4_000
    assert all(test["rows"] and not test["different"] for test in verdict["tests"])


@pytest.mark.timeout(300)
def test_a_signal_of_ones_own_from_its_file_to_a_score(tmp_path: Path, repo_root: Path) -> None:
    """One file in features/: trained on, then scored with by a process that never saw it before."""
    layout = create_project(tmp_path / "shop", currency="ILS")
    page = (repo_root / "docs" / "own-signals.md").read_text(encoding="utf-8")
    example = page.partition("# features/gifts_for_others.py\n")[2].partition("```")[0]
    (layout.features / "gifts_for_others.py").write_text(example, encoding="utf-8")
    (layout.training / "quick.toml").write_text(QUICK, encoding="utf-8")
    shop = open_shop(layout.root, clock=lambda: NOW, environ={})
    events = tmp_path / "events.parquet"
    plan = SimulationPlan(customers=220, days=400, end=NOW, pace=1.5, leaving=0.6, currency="ILS")
    simulate_to(events, plan)
    ingest(shop, [events])
    train(shop, recipe="quick")
    scored = command(layout.root, "score", "--as-of", iso(NOW))
    assert scored["status"]["scored"] > 50


def command(root: Path, *words: object) -> Any:
    """Run a command in a process of its own and return its answer."""
    line = [sys.executable, "-m", "churnguard.cli", *map(str, words), "--json", "--project", root]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)
