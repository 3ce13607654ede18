"""What a shop's size can carry, and when more: by orders on their way, then by the pace."""

from __future__ import annotations

import numpy as np

from churnguard.clock import DAY_US, from_us
from churnguard.events.timeline import Timeline
from churnguard.jobs.stages import RICH_REPEAT_BUYERS, stages
from churnguard.testing import build_events
from churnguard.training.recipe import Recipe


def told(days_of_orders, *, end, horizon=90):
    """Return the steps of a shop; ``days_of_orders`` are each customer's order days."""
    rows = [
        {"customer_id": f"C{number:04d}", "occurred_at": from_us(day * DAY_US)}
        for number, days in enumerate(days_of_orders)
        for day in days
    ]
    found = stages(
        [Timeline.from_arrow(build_events(rows))],
        Recipe(),
        data_from=0,
        data_end=end * DAY_US,
        horizon=horizon,
    )
    return {stage.name: stage for stage in found}


def test_a_shop_that_has_enough_is_told_so():
    steps = told([(1, 30)] * 200, end=200)
    assert steps["own-rhythm rule"].reached
    assert steps["lifetime model"].reached
    assert steps["signals and trees beside it"].there == 200
    assert steps["own-rhythm rule"].to_text().startswith("yes")


def test_orders_on_their_way_give_a_certain_day():
    """150 bought twice, the last on day 180: their outcomes are known on day 270."""
    days = [(1, 30)] * 100 + [(1, 180)] * 50
    step = told(days, end=200)["signals and trees beside it"]
    assert (step.there, step.wanted) == (100, RICH_REPEAT_BUYERS)
    assert step.known
    assert step.enough_from == from_us((180 + 90) * DAY_US)
    assert "those on the way" in step.to_text()


def test_after_them_the_pace_of_the_last_ninety_days_goes_on():
    """One repeat buyer a day: fifty more take fifty days, and a horizon until they are known."""
    days = [(1, 50 + number) for number in range(100)]
    step = told(days, end=150)["signals and trees beside it"]
    assert not step.known
    assert step.there == 10
    waits = (step.enough_from - from_us(150 * DAY_US)).days - 90
    assert 48 <= waits <= 52
    assert "at the pace of the last 90 days" in step.to_text()


def test_a_shop_that_stands_still_is_told_that_it_leads_nowhere():
    step = told([(1, 2)] * 20, end=900)["own-rhythm rule"]
    assert not step.reached
    assert step.enough_from is None
    assert "not within ten years" in step.to_text()


def test_a_count_never_uses_orders_whose_outcome_is_open():
    steps = told([(1,)] * 30 + [(190,)] * 500, end=200)
    assert steps["own-rhythm rule"].there == 30
    assert np.all([isinstance(step.to_dict()["reached"], bool) for step in steps.values()])
