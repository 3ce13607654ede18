"""Trainings that are killed or run out of memory (F31), and data that nobody can learn from (F32).

What is promised each time: a named refusal, no model registered, none promoted.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from datetime import timedelta

import pytest

from churnguard.bootstrap import open_shop
from churnguard.errors import CatalogueError, NotEnoughHistory
from churnguard.jobs.check import check
from churnguard.jobs.train import train
from churnguard.project.layout import Layout
from churnguard.project.loader import load_catalogue
from churnguard.project.template import create_project
from churnguard.testing import NOON, build_events

DAY = timedelta(days=1)
DYING = """
import os, signal, sys
from pathlib import Path
from churnguard.store.mlflow_registry import MlflowRegistry

def make_bundle(run_id):
    print(run_id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

MlflowRegistry(Path(sys.argv[1]), "shop").log_training(
    params={}, metrics={}, tags={}, files={}, make_bundle=make_bundle, feature_names=["a"]
)
"""


@pytest.fixture
def make_shop(tmp_path):
    """Make a project with these events and no model."""

    def make(rows, name="shop"):
        create_project(tmp_path / name)
        shop = open_shop(tmp_path / name, clock=lambda: NOON, environ={})
        shop.events.append(build_events(rows))
        return shop

    return make


def _orders(customers, days, **columns):
    """Return one order a customer on each of these days before NOON."""
    return [
        {
            "event_id": f"o{customer}-{day}",
            "customer_id": f"C{customer}",
            "occurred_at": NOON - day * DAY - timedelta(minutes=customer),
            "received_at": NOON - day * DAY - timedelta(minutes=customer),
        }
        | {name: make(customer, day) for name, make in columns.items()}
        for customer in range(customers)
        for day in days
    ]


def _nothing_was_kept(shop):
    assert shop.ledger.history() == []
    assert not (Layout(shop.root).mlruns / "mlflow.db").exists()
    assert not Layout(shop.root).bundles.exists()


VISIT = {"event": lambda _customer, _day: "signed_in", "event_id": lambda c, day: f"v{c}-{day}"}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (_orders(120, range(5, 700, 20)), "stayed"),
        (_orders(120, [300]) + _orders(120, range(5, 600, 40), **VISIT), "left"),
    ],
)
def test_one_outcome_only_is_refused(make_shop, rows, told):
    """F32: everybody ordered again, or nobody did: there is nothing to tell apart."""
    shop = make_shop(rows)
    with pytest.raises(NotEnoughHistory, match=f"All 120 customers {told}") as refused:
        train(shop)
    assert refused.value.hint
    _nothing_was_kept(shop)


@pytest.mark.parametrize("rows", [[], _orders(1, [500]), _orders(1, range(100, 600, 50))])
def test_hardly_any_data_is_refused(make_shop, rows):
    """F32: no event, one event, one customer: the refusal says what there is and what is needed."""
    shop = make_shop(rows)
    with pytest.raises(NotEnoughHistory) as refused:
        train(shop)
    assert refused.value.message.endswith(".")
    assert refused.value.hint
    _nothing_was_kept(shop)


@pytest.mark.parametrize(
    ("customers", "days"),
    [(20, 500), pytest.param(2_000, 501, marks=[pytest.mark.chaos, pytest.mark.timeout(900)])],
)
def test_a_million_categories_are_words_not_columns(make_shop, customers, days):
    """F32: signals count words; however many there are, a row stays as wide as the catalogue."""
    from churnguard.events.timeline import Timeline
    from churnguard.features.build import build_features

    words = {
        "event": lambda _customer, _day: "product_viewed",
        "category": lambda customer, day: f"word {customer} {day}",
        "product_id": lambda customer, day: f"p{customer}-{day}",
    }
    shop = make_shop(_orders(1, [10]))
    catalogue = load_catalogue(Layout(shop.root))
    timeline = Timeline.from_arrow(build_events(_orders(customers, range(1, days), **words)))
    cutoffs = [1_790_000_000_000_000] * customers
    rows = build_features(timeline, catalogue, range(customers), cutoffs)
    assert rows.values.shape == (customers, len(catalogue))


def test_a_column_without_any_value_is_named_and_its_signals_are_left_out(make_shop):
    """F32: all-null columns are no numbers to learn from; what they fed is missing, and told."""
    empty = {name: lambda _customer, _day: None for name in ("value", "coupon")}
    told = check(make_shop(_orders(60, range(5, 700, 25), **empty)))
    assert "value" in told.left_out["orders"]
    filled = check(make_shop(_orders(60, range(5, 700, 25)), name="other"))
    assert "value" not in filled.left_out.get("orders", "")


@pytest.mark.parametrize(
    "peek",
    [
        "np.array(len(rows.timeline.track('order_completed')) - rows.cutoffs * 0, float)",
        "rows.timeline.track('order_completed').occurred.max() - rows.cutoffs",
    ],
)
def test_a_signal_that_looks_ahead_is_refused_by_name(make_shop, peek):
    """F32: what knows the target cannot get into the catalogue; the file is named."""
    shop = make_shop(_orders(1, [10]))
    file = Layout(shop.root).features / "peeking.py"
    file.write_text(
        "import numpy as np\n"
        "from churnguard.features.signal import signal\n"
        "from churnguard.features.units import NUMBER\n\n\n"
        "@signal(unit=NUMBER, needs=('order_completed',), en='x', he='x')\n"
        "def orders_to_come(rows):\n"
        f"    return {peek}\n"
    )
    with pytest.raises(CatalogueError) as refused:
        train(shop)
    assert refused.value.file == file
    _nothing_was_kept(shop)


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_a_training_killed_while_it_is_logged_is_marked_failed(tmp_path):
    """F31: no version is registered; the next training closes the dead one's run as failed."""
    from churnguard.store.mlflow_registry import MlflowRegistry

    folder = tmp_path / "mlruns"
    command = [sys.executable, "-c", DYING, str(folder)]
    died = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert died.returncode == -signal.SIGKILL
    registry = MlflowRegistry(folder, "shop")
    assert registry.versions() == []

    def fail(_run_id):
        raise MemoryError

    with pytest.raises(MemoryError):
        registry.log_training(
            params={}, metrics={}, tags={}, files={}, make_bundle=fail, feature_names=["a"]
        )
    client = registry._client()
    experiment = client.get_experiment_by_name("shop").experiment_id
    runs = {run.info.run_id: run.info.status for run in client.search_runs([experiment])}
    assert died.stdout.strip() in runs
    assert set(runs.values()) == {"FAILED"}
    assert len(runs) == 2
    assert registry.versions() == []


SHORT_OF_MEMORY = """
import resource, sys
from pathlib import Path
import lightgbm, mlflow, numba.typed, sklearn.linear_model
import churnguard.jobs.train
from churnguard.cli import main

status = Path("/proc/self/status").read_text()
taken = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmSize"))
most = taken * 1024 + (int(sys.argv.pop(1)) << 20)
resource.setrlimit(resource.RLIMIT_AS, (most, most))
main()
"""


def _is_kept(row):
    """Tell whether an order is there: every other customer left half a year ago."""
    customer = int(row["customer_id"].removeprefix("C"))
    return customer % 2 == 0 or row["occurred_at"] < NOON - (150 + customer) * DAY


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("megabytes", [130, 250])
def test_a_training_without_memory_ends_with_a_line_and_changes_nothing(make_shop, megabytes):
    """F31: so much more memory than it has once all is loaded: it fails in its work and says so.

    Where the one who finds none left is a library in C++ or Fortran, the line is the library's.
    """
    half_left = [row for row in _orders(200, range(5, 600, 15)) if _is_kept(row)]
    shop = make_shop(half_left)
    words = [sys.executable, "-c", SHORT_OF_MEMORY, str(megabytes)]
    done = subprocess.run(
        [*words, "train", "--until", "2026-11-21", "--project", str(shop.root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode != 0
    assert re.search("memory|bad_alloc", done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert shop.ledger.history() == []
    assert shop.registry().versions() == []
