"""A challenger's life: in the shadow, promoted by name, rolled back, and all of it remembered."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import churnguard
from churnguard.clock import to_us
from churnguard.errors import InvalidRequest, ModelNotFound
from churnguard.jobs.backtest import backtest_shop
from churnguard.jobs.ledger import ledger_history
from churnguard.jobs.promote import promote, rollback
from churnguard.jobs.score import score_everybody
from churnguard.jobs.shadow import shadow_nights
from churnguard.jobs.shadow_report import shadow_report
from churnguard.training.metrics import log_loss

pytestmark = pytest.mark.timeout(300)

THEN = datetime(2026, 7, 1, tzinfo=UTC)
OTHER = """
[cutoffs]
step_days = 45
backtests = 1
[boosted]
trees = 15
seeds = 1
min_rows = 40
"""


@pytest.fixture(scope="module")
def life(trained, tmp_path_factory):
    """A copy of the trained shop with a second version that is not champion."""
    root = tmp_path_factory.mktemp("life") / "shop"
    shutil.copytree(trained.root, root)
    now = trained.shop.clock()
    ticks = iter(range(1, 1000))
    shop = churnguard.open_shop(
        root, clock=lambda: now + timedelta(seconds=next(ticks)), environ={}
    )
    (root / "training" / "other.toml").write_text(OTHER, encoding="utf-8")
    report = churnguard.train(shop, recipe="other")
    assert not report.promoted
    return shop


@pytest.fixture(scope="module")
def shadowed(life):
    """A past night that champion and challenger both scored."""
    return score_everybody(life, as_of=THEN, shadow="2")


def test_a_training_logs_its_report(trained):
    """The run in MLflow has the page beside card and table."""
    [card] = (trained.root / "mlruns").rglob(f"{trained.report.run_id}/artifacts/card/card.md")
    page = card.parent.parent / "report" / "report.html"
    assert page.read_text(encoding="utf-8").count("<svg") == 6


def test_a_shadow_scores_the_same_night_and_nobody_acts_on_it(life, shadowed):
    run = life.scores.latest_run()
    assert (run.run_id, run.model_version) == (shadowed.run.run_id, "1")
    [(at, night)] = shadow_nights(life, "2")
    assert at == THEN
    assert set(night["champion"].to_pylist()) == {"1"}
    for row in night.to_pylist()[:20]:
        stored = life.scores.stored_score(row["customer_id"])
        assert stored.churn_risk == row["champion_risk"]
        assert stored.model.version == "1"
    promoted_risks = {
        score.customer_id: score.churn_risk
        for score in _as_champion(life, "2", night["customer_id"].to_pylist())
    }
    for row in night.to_pylist():
        assert promoted_risks[row["customer_id"]] == row["shadow_risk"]


def _as_champion(shop, version, customers):
    """What the challenger says when it is in charge: the shadow said the same."""
    promote(shop, version, approved_by="Dana")
    score_everybody(shop, as_of=THEN)
    found = [shop.scores.stored_score(customer) for customer in customers]
    rollback(shop, approved_by="Noa", reason="only looked")
    return found


def test_agreement_and_outcomes_are_told(life, shadowed):
    """The night is 90 days past, so both are held against what happened."""
    report = shadow_report(life, "2")
    [night] = report.nights
    assert night.customers > 100
    assert 0.3 < night.rank_correlation < 1
    assert night.outcome is not None
    mean, low, high = report.difference
    assert low <= mean <= high
    told = night.outcome
    assert mean == pytest.approx(told["shadow_log_loss"] - told["champion_log_loss"])
    table = shadow_nights(life, "2")[0][1]
    risks = np.array(table["champion_risk"].drop_null().to_pylist())
    rate = told["churn_rate"]
    assert told["champion_log_loss"] < log_loss(
        (np.arange(len(risks)) < rate * len(risks)).astype(np.int8), np.full(len(risks), rate)
    )
    assert "outcome" in report.to_text()


def test_a_night_whose_horizon_has_not_passed_has_no_outcome(life, shadowed):
    before = life.clock()
    score_everybody(life, as_of=before, shadow="2")
    past, now = shadow_report(life, "2").nights
    assert past.outcome is not None
    assert now.outcome is None
    next((life.root / "data" / "shadow").glob(f"{to_us(before)}.*")).unlink()


def test_the_champion_casts_no_shadow_and_a_stranger_neither(life):
    with pytest.raises(InvalidRequest, match="is the champion"):
        score_everybody(life, shadow="1")
    with pytest.raises(ModelNotFound, match="'9'"):
        score_everybody(life, shadow="9")
    with pytest.raises(ModelNotFound, match="no night in the shadow"):
        shadow_report(life, "9")


def test_promoted_rolled_back_and_remembered(life):
    """Ledger, alias and the model that scores change together; nothing is erased."""
    before = len(ledger_history(life))
    promote(life, "2", approved_by="Dana", reason="spring")
    assert life.registry().champion_version() == "2"
    back = rollback(life, approved_by="Noa", reason="too many alerts")
    assert (back.version, back.approved_by) == ("1", "Noa")
    assert back.reason == "rollback of version 2: too many alerts"
    assert life.registry().champion_version() == "1"
    assert score_everybody(life).run.model_version == "1"
    lines = ledger_history(life)
    assert [line["version"] for line in lines[:2]] == ["1", "2"]
    assert len(lines) == before + 2
    with pytest.raises(ModelNotFound):
        rollback(life, approved_by="Noa")
    with pytest.raises(InvalidRequest, match="needs a name"):
        rollback(life, approved_by=" ", to="2")


def test_a_backtest_registers_nothing(life, tmp_path):
    versions = len(life.registry().versions())
    report = backtest_shop(life, recipe="other", out=tmp_path / "out")
    assert len(life.registry().versions()) == versions
    assert (tmp_path / "out" / "report.html").exists()
    assert report.to_dict()["comparisons"]
    assert "churnguard less recency" in report.to_text()
