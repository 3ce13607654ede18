"""What the desk reports of contacts changes what the next training learns from, and is told."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

import churnguard
from churnguard.clock import from_us
from churnguard.jobs.lesson import prepare_lesson
from churnguard.jobs.ports import silent
from churnguard.project.layout import Layout
from churnguard.project.loader import load_catalogue, load_recipe
from churnguard.testing import build_action, build_score

pytestmark = pytest.mark.timeout(300)

DAY = timedelta(days=1)


def test_contacted_customers_are_not_learned_from_and_those_held_out_stand_for_them(
    trained, tmp_path: Path
) -> None:
    """Decisions after the newest cutoff; without a contact the lesson is the very same."""
    shutil.copytree(trained.root, tmp_path / "shop")
    shop = churnguard.open_shop(tmp_path / "shop", clock=trained.shop.clock, environ={})
    layout = Layout(shop.root)
    words = load_catalogue(layout), load_recipe(layout, "quick")
    before = prepare_lesson(shop, *words, until=shop.clock(), progress=silent)
    newest = before.plan.learn[-1]
    asked = before.dataset.customer_ids[before.dataset.cutoffs == newest][:100]
    at = from_us(newest) + DAY
    groups = ["control"] * 10 + ["treat"] * 90
    for who, group in zip(asked, groups, strict=True):
        share = 0.1 if group == "control" else 0.9
        action = build_action(decision_id=f"d-{who}", group=group, propensity=share)
        shop.scores.save_decisions([build_score(str(who), as_of=at, action=action)])
    same = prepare_lesson(shop, *words, until=shop.clock(), progress=silent)
    assert same.treatment is None
    assert np.array_equal(same.dataset.X, before.dataset.X, equal_nan=True)
    for who in asked[10:]:
        shop.scores.record_outcome(f"d-{who}", "contacted", at=at + DAY, actor="dana")
    after = prepare_lesson(shop, *words, until=shop.clock(), progress=silent)
    assert after.treatment is not None
    assert after.treatment.treated >= 90
    there, times = np.unique(
        after.dataset.customer_ids[after.dataset.cutoffs == newest], return_counts=True
    )
    stands = dict(zip(there.tolist(), times.tolist(), strict=True))
    assert {stands.get(who, 0) for who in asked[:10].tolist()} == {10}
    assert {stands.get(who, 0) for who in asked[10:].tolist()} == {0}
