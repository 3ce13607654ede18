"""Customers whom a campaign kept do not teach the model that they had been safe."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from churnguard.clock import DAY_US
from churnguard.errors import RecipeError
from churnguard.training.dataset import Dataset
from churnguard.training.recipe import Recipe, TreatmentRecipe
from churnguard.training.treatment import TREATMENT_SCHEMA, untreated

CUTOFF = 1_000 * DAY_US


def rows(customers: int) -> Dataset:
    ids = np.array([f"C{number:05d}" for number in range(customers)])
    X = np.arange(float(customers))[:, None]
    y = np.arange(customers) % 2
    return Dataset(X, ("x",), y.astype(np.int8), ids, np.full(customers, CUTOFF), 90)


def decision(customer: str, *, held_out: bool = False, **changes: Any) -> dict[str, Any]:
    return {
        "customer_id": customer,
        "decided_at": CUTOFF + DAY_US,
        "action": "coupon",
        "held_out": held_out,
        "propensity": 0.1 if held_out else 0.9,
        "treated_at": None if held_out else CUTOFF + 2 * DAY_US,
    } | changes


def table(found: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(found, TREATMENT_SCHEMA)


def campaign(data: Dataset, *, asked: int, held: int, contacted: int) -> pa.Table:
    """The first are asked: first those held out, then those contacted, then the others."""
    ids = data.customer_ids.tolist()
    found = [decision(who, held_out=True) for who in ids[:held]]
    found += [decision(who) for who in ids[held : held + contacted]]
    found += [decision(who, treated_at=None) for who in ids[held + contacted : asked]]
    return table(found)


def counts(data: Dataset, learned: Dataset) -> list[int]:
    """How often each row stands."""
    return np.bincount(learned.X[:, 0].astype(int), minlength=len(data)).tolist()


@pytest.mark.parametrize("mode", ["weight", "ignore"])
def test_a_shop_that_contacted_nobody_learns_from_the_very_same_rows(mode):
    """Suggestions alone change nothing, nor does a contact before the cutoff or past the end."""
    data = rows(20)
    outside = [CUTOFF - 1, CUTOFF + 90 * DAY_US]
    found = [decision("C00001", decided_at=at, treated_at=at) for at in outside]
    found += [decision("C00002", treated_at=None), decision("a stranger")]
    for decisions in (table([]), table(found)):
        learned, report = untreated(data, decisions, TreatmentRecipe(mode=mode))
        assert learned is data
        assert report is None


def test_those_held_out_stand_for_those_contacted():
    """100 asked of 200: 90 contacted rows go, each of the 10 held-out ones stands ten times."""
    data = rows(200)
    learned, report = untreated(
        data, campaign(data, asked=100, held=10, contacted=90), TreatmentRecipe()
    )
    assert counts(data, learned) == [10] * 10 + [0] * 90 + [1] * 100
    assert (report.treated, report.held_out, report.dropped) == (90, 10, 90)
    assert report.effective == pytest.approx(200**2 / (10 * 100 + 100))
    assert report.warning == ""


def test_where_many_are_contacted_the_others_do_not_speak():
    """Who came back already is not contacted any more, so the rest of the asked are no sample."""
    data = rows(200)
    learned, _ = untreated(
        data, campaign(data, asked=100, held=10, contacted=45), TreatmentRecipe()
    )
    assert counts(data, learned) == [10] * 10 + [0] * 90 + [1] * 100


def test_where_few_are_contacted_the_others_stay():
    """10 of 900 contacted: everybody else stands for a hundredth more than themselves."""
    data = rows(2_000)
    learned, report = untreated(
        data, campaign(data, asked=1_000, held=100, contacted=10), TreatmentRecipe()
    )
    assert report.dropped == 10
    assert len(learned) == pytest.approx(2_000, abs=15)
    assert set(counts(data, learned)[:100]) <= {1, 2}


def test_weights_are_clipped_and_that_is_counted():
    data = rows(100)
    found = [decision("C00000", held_out=True, propensity=0.001)]
    found += [decision(who, propensity=0.999) for who in data.customer_ids[1:50]]
    learned, report = untreated(data, table(found), TreatmentRecipe(largest_weight=5.0))
    assert counts(data, learned)[0] == 5
    assert report.clipped == 1


def test_without_anybody_held_out_the_contacted_are_dropped_and_a_warning_says_so():
    data = rows(100)
    decisions = campaign(data, asked=50, held=0, contacted=50)
    learned, report = untreated(data, decisions, TreatmentRecipe())
    assert counts(data, learned) == [0] * 50 + [1] * 50
    assert "Nobody was held out from: coupon" in report.warning
    assert "or a larger one where it is set" in report.warning
    assert "WARNING" in report.to_text()


def test_who_wants_to_can_learn_from_all_and_is_warned():
    data = rows(100)
    decisions = campaign(data, asked=50, held=5, contacted=45)
    learned, report = untreated(data, decisions, TreatmentRecipe(mode="ignore"))
    assert learned is data
    assert (report.mode, report.treated) == ("ignore", 45)
    assert "WARNING" in report.to_text()


def test_weights_do_not_depend_on_the_order_of_rows_and_decisions():
    data = rows(300)
    decisions = campaign(data, asked=150, held=20, contacted=20)
    learned, report = untreated(data, decisions, TreatmentRecipe())
    order = np.random.default_rng(1).permutation(300)
    mixed = decisions.take(np.random.default_rng(2).permutation(len(decisions)))
    again, told = untreated(data.take(order), mixed, TreatmentRecipe())
    assert counts(data, again) == counts(data, learned)
    assert told == replace(report, effective=told.effective)


def test_an_unknown_mode_is_refused_by_name():
    with pytest.raises(RecipeError, match=r"treatment\.mode"):
        Recipe.from_dict({"treatment": {"mode": "hope"}})


def test_a_good_campaign_ruins_the_naive_model_and_ours_holds(repo_root: Path, monkeypatch):
    """Two campaigns in a made-up shop whose untreated risk is known; see docs/feedback.md."""
    spec = importlib.util.spec_from_file_location("feedback", repo_root / "benchmarks/feedback.py")
    feedback = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "feedback", feedback)
    spec.loader.exec_module(feedback)
    told = feedback.campaign_years(800, 2)["models"]
    ideal, naive, ours = (told[how][-1] for how in ("untreated outcomes", "naive", "weighted"))
    true = ideal["true_of_the_riskiest_third"]
    assert naive["said_of_the_riskiest_third"] < true - 0.15
    assert abs(ours["said_of_the_riskiest_third"] - true) < 0.08
    assert ours["log_loss"] - ideal["log_loss"] < 0.25 * (naive["log_loss"] - ideal["log_loss"])
