"""``train --trials``: searched, written down where it is looked for, and gone on with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import churnguard
from churnguard.cli.app import app
from churnguard.clock import iso
from churnguard.jobs.ports import Shop

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def copy(trained, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    root = tmp_path_factory.mktemp("trials") / "shop"
    shutil.copytree(trained.root, root)
    return churnguard.open_shop(root, clock=trained.shop.clock, environ={})


def test_three_trials_and_then_one_more(copy: Shop, tmp_path: Path) -> None:
    """The best values are the run's parameters and the bundle's recipe; the search goes on."""
    report = churnguard.train(copy, recipe="quick", trials=3)
    tuning = report.tuning
    assert len(tuning.trials) == 3
    assert tuning.best.log_loss == min(trial.log_loss for trial in tuning.trials)
    first_judged = report.backtest.judged[0].cutoff_us
    assert all(cutoff < first_judged for cutoff in tuning.cutoffs)
    registry = copy.registry()
    bundle = registry.fetch_bundle(report.version, tmp_path / "bundle")
    recipe = json.loads((bundle / "recipe.json").read_text(encoding="utf-8"))
    written = recipe["boosted"]
    assert written == tuning.recipe.to_dict()["boosted"]
    if tuning.best.number:
        assert written["leaves"] == tuning.best.values["leaves"]

    now = iso(copy.clock())
    words = ["train", "--project", str(copy.root), "--recipe", "quick", "--until", now, "--json"]
    done = CliRunner().invoke(app, [*words, "--trials", "4"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["tuning"]
    assert len(found["trials"]) == 4
    assert found["trials"][:3] == tuning.to_dict()["trials"]
    assert found["cutoffs"] == tuning.to_dict()["cutoffs"]


def test_ctrl_c_says_that_finished_trials_are_kept(
    copy: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(what: str, _done: int, _total: int | None) -> None:
        if what.startswith("tuning"):
            raise KeyboardInterrupt

    monkeypatch.setattr("churnguard.cli.progress._silent", pressed)
    words = ["--project", str(copy.root), "--recipe", "quick", "--until", iso(copy.clock())]
    stopped = CliRunner().invoke(app, ["train", *words, "--trials", "9", "--json"])
    assert stopped.exit_code == 130
    assert "Finished trials are kept" in stopped.stderr


def test_fewer_than_no_trials_are_refused(copy: Shop) -> None:
    done = CliRunner().invoke(app, ["train", "--project", str(copy.root), "--trials", "-1"])
    assert done.exit_code == 2
