"""A later model becomes champion only when asked, and only through the gate."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import churnguard
from churnguard.errors import PromotionRefused
from churnguard.jobs.ports import Shop

pytestmark = pytest.mark.timeout(300)

UNLEARNED = """
[cutoffs]
step_days = 45
backtests = 2
[signals]
start = ""
[boosted]
trees = 20
leaves = 2
learning_rate = 0.001
seeds = 1
[gate]
min_cutoffs = 2
"""


@pytest.fixture
def copy(trained, tmp_path: Path) -> Shop:
    shutil.copytree(trained.root, tmp_path / "shop")
    return churnguard.open_shop(tmp_path / "shop", clock=trained.shop.clock, environ={})


def test_a_worse_challenger_is_refused_for_that_and_stays_registered(copy: Shop) -> None:
    (copy.root / "training" / "unlearned.toml").write_text(UNLEARNED, encoding="utf-8")
    champion = copy.ledger.champion()
    with pytest.raises(PromotionRefused) as caught:
        churnguard.train(copy, recipe="unlearned", promote=True, approved_by="Dana")
    assert caught.value.gate in ("log loss against the champion", "calibration slope")
    assert copy.ledger.champion() == champion
    assert [model.version for model in copy.registry().versions()] == ["2", "1"]


def test_an_equal_one_passes_where_somebody_answers_for_it(copy: Shop) -> None:
    """Two cutoffs are few: the weaker gate asks for a name, and the ledger keeps it."""
    report = churnguard.train(copy, recipe="quick", promote=True, approved_by="Dana")
    assert report.promoted
    newest = copy.ledger.champion()
    assert (newest.version, newest.approved_by) == (report.version, "Dana")
    assert newest.reason == "passed the weaker gate"
    assert copy.registry().champion_version() == report.version
