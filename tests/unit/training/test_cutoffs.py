"""The grid of cutoffs: everything mature, nothing without history, judged only where learnable."""

from __future__ import annotations

import pytest

from churnguard.clock import DAY_US
from churnguard.errors import NotEnoughHistory
from churnguard.training.cutoffs import plan_cutoffs
from churnguard.training.recipe import CutoffRecipe


def plan(newest_day: int, **keys):
    return plan_cutoffs(
        CutoffRecipe(**keys), newest_us=newest_day * DAY_US, history_from_us=0, horizon_days=90
    )


def test_grid_goes_back_from_the_newest_and_keeps_history_before_it():
    found = plan(649)
    assert max(found.learn) == 649 * DAY_US
    assert min(found.learn) >= 150 * DAY_US
    assert [cut // DAY_US for cut in found.judge] == [559, 589, 619, 649]


def test_a_young_shop_needs_less_history_before_a_cutoff():
    """With 200 days known, two fifths of them will do."""
    assert min(plan(200).learn) == 80 * DAY_US


def test_no_cutoff_is_judged_before_anything_was_mature():
    found = plan(200)
    assert all(cut >= min(found.learn) + 90 * DAY_US for cut in found.judge)


def test_too_short_a_history_is_refused_with_the_day_it_will_do():
    with pytest.raises(NotEnoughHistory) as caught:
        plan(59)
    assert "needs 150 days" in caught.value.message
    assert "1970-05-31" in caught.value.hint


def test_span_bounds_how_far_back():
    assert min(plan(2000, span_days=365).learn) >= (2000 - 365) * DAY_US
