"""The quality benchmark: datasets that can be read, fair peers, honest verdicts."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from churnguard.clock import DAY_US
from churnguard.events.mapping import read_mapping
from churnguard.training.dataset import Dataset

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def part(monkeypatch):
    """Give modules of ``quality_shops`` by name, and forget them afterwards."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield lambda name: importlib.import_module(f"quality_shops.{name}")
    for name in [name for name in sys.modules if name.startswith("quality_shops")]:
        del sys.modules[name]


@pytest.fixture
def rows(part):
    """Give rows of 60 customers at eight cutoffs, 30 days apart, with a lifetime model's risks."""
    rng = np.random.default_rng(1)
    silence = rng.exponential(60.0, 480)
    y = (rng.random(480) < 1 / (1 + np.exp(-(silence - 60) / 20))).astype(np.int8)
    data = Dataset(
        np.column_stack([silence, rng.poisson(3.0, 480)]),
        ("days_since_order", "orders_365d"),
        y,
        np.tile([f"C{number}" for number in range(60)], 8),
        np.repeat(np.arange(8) * 30 * DAY_US, 60),
        60,
    )
    judge = (180 * DAY_US, 210 * DAY_US)
    lifetime = {"bg/nbd": np.linspace(0.1, 0.9, 480), "mbg/nbd": np.full(480, np.nan)}
    return part("rows").Rows(data, judge, lifetime)


def test_every_dataset_says_what_its_columns_mean(part):
    shops = part("shops").DATASETS
    assert all(read_mapping(shop.mapping(name)).columns for name, shop in shops.items())
    told = part("words").UNUSABLE
    assert set(told) == {name for name, shop in shops.items() if shop.reported_only}


def test_rows_survive_being_kept(part, rows, tmp_path):
    rows.save(tmp_path / "rows.npz")
    again = part("rows").load_rows(tmp_path / "rows.npz")
    assert again.judge == rows.judge
    assert again.dataset.names == rows.dataset.names
    assert (again.dataset.X == rows.dataset.X).all()
    assert (again.lifetime["bg/nbd"] == rows.lifetime["bg/nbd"]).all()


def test_lifetime_peers_give_the_judged_rows_risks(part, rows):
    """They look at the cutoff's own rows; a row that no model knows is even."""
    peers = part("peers").peers_of(rows)
    now = rows.dataset.cutoffs == rows.judge[1]
    judged = rows.dataset.take(now)
    assert (peers["bg/nbd"](rows.dataset, judged) == rows.lifetime["bg/nbd"][now]).all()
    assert (peers["mbg/nbd"](rows.dataset, judged) == 0.5).all()


def test_changes_are_tried_on_cutoffs_before_the_test_ones_too(part, rows):
    """Those with three mature cutoffs before them; none of them is a test cutoff."""
    assert [cutoff // DAY_US for cutoff in part("tries").earlier(rows)] == [120, 150]


@pytest.mark.parametrize(
    ("verdicts", "means", "expected"),
    [
        (("better", "even"), (-0.02, -0.001), "best"),
        (("better", "even"), (-0.02, 0.001), "even"),
        (("better", "worse"), (-0.02, 0.010), "worse"),
    ],
)
def test_best_means_ahead_of_every_peer(part, verdicts, means, expected):
    comparison = importlib.import_module("churnguard.training.comparison").Comparison
    ends = {"better": (-1.0, -0.001), "even": (-1.0, 1.0), "worse": (0.001, 1.0)}
    found = [
        comparison(f"peer {place}", "log_loss", mean, *ends[said])
        for place, (said, mean) in enumerate(zip(verdicts, means, strict=True))
    ]
    assert part("judge").verdict_of(found, "log_loss") == expected
    assert part("judge").verdict_of([], "log_loss") == "not judged"


def test_the_average_is_of_models_judged_everywhere(part):
    figures = part("judge").FIGURES
    first = {"mean": {"a": dict.fromkeys(figures, 1.0), "b": dict.fromkeys(figures, 1.0)}}
    second = {"mean": {"a": dict.fromkeys(figures, 3.0)}}
    assert part("judge").average([first, second]) == {"a": dict.fromkeys(figures, 2.0)}
