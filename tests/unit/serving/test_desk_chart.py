"""The picture of a customer's year."""

from __future__ import annotations

from datetime import timedelta

from churnguard.jobs.customer_story import Moment
from churnguard.serving.desk.chart import draw
from churnguard.testing import NOON


def _order(days: float, value: float | None = 50.0) -> Moment:
    return Moment(NOON - timedelta(days=days), "order_completed", value)


def test_without_orders_there_is_nothing_to_draw():
    visit = Moment(NOON - timedelta(days=3), "signed_in", None)
    assert draw([visit], until=NOON, timezone="UTC") is None
    assert draw([_order(366)], until=NOON, timezone="UTC") is None


def test_time_runs_from_left_to_right_and_dearer_is_higher():
    chart = draw([_order(300, 10.0), _order(100, 90.0)], until=NOON, timezone="UTC")
    assert chart is not None
    old, new = chart.orders
    assert old.x < new.x
    assert old.y > new.y
    assert chart.silence == (new.x, 706)
    assert chart.silent_days == 100


def test_orders_without_a_value_are_drawn_all_the_same():
    chart = draw([_order(10, None), _order(5, 0.0)], until=NOON, timezone="UTC")
    assert chart is not None
    assert len(chart.orders) == 2


def test_twelve_months_begin_in_a_year():
    chart = draw([_order(5)], until=NOON, timezone="Asia/Jerusalem")
    assert chart is not None
    assert len(chart.months) == 12
    assert [month.day for _, month in chart.months] == [1] * 12
