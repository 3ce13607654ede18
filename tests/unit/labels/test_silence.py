"""Silences are between visits, open ones end with the data, and a rhythm knows only the past."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from churnguard.clock import DAY_US
from churnguard.events.timeline import Timeline
from churnguard.labels.silence import LOST_RULES, deviations, silences, times_usual, window

INSTANT = pa.timestamp("us", tz="UTC")


def shop(**orders):
    """Build a timeline from each customer's order days."""
    rows = [(name, day) for name, days in orders.items() for day in days]
    instants = pa.array([int(day * DAY_US) for _, day in rows], INSTANT)
    return Timeline.from_arrow(
        pa.table(
            {
                "event_id": [str(place) for place in range(len(rows))],
                "customer_id": pa.array([name for name, _ in rows], pa.string()),
                "event": pa.array(["order_completed"] * len(rows), pa.string()),
                "occurred_at": instants,
                "received_at": instants,
            }
        )
    )


def test_a_silence_is_from_visit_to_visit_or_to_the_end():
    """Orders within a day of a visit's start belong to it; the last silence is open."""
    found = silences([shop(a=[0, 0.5, 10, 30])], 100 * DAY_US)
    assert found.days.tolist() == [10, 20, 70]
    assert found.ended.tolist() == [True, True, False]
    assert (found.began // DAY_US).tolist() == [0, 10, 30]


def test_orders_after_the_end_are_not_looked_at():
    """What happened later does not change what was known."""
    early = silences([shop(a=[0, 10])], 50 * DAY_US)
    late = silences([shop(a=[0, 10, 60])], 50 * DAY_US)
    assert early.days.tolist() == late.days.tolist() == [10, 40]
    assert not late.ended[-1]


def test_customers_of_several_partitions_are_not_mixed_up():
    """Each partition counts its customers on."""
    found = silences([shop(a=[0, 5], b=[1]), shop(c=[2])], 10 * DAY_US)
    assert found.customer.tolist() == [0, 0, 1, 2]


def test_the_own_rhythm_is_of_earlier_gaps_only():
    """From the fourth order on; the gap that is judged does not judge itself."""
    found = silences([shop(a=[0, 10, 20, 40, 140])], 200 * DAY_US)
    usual = [np.nan, np.nan, np.nan, 10.0, 15.0]
    np.testing.assert_array_equal(found.usual, usual)
    np.testing.assert_allclose(found.deviation[3:], [1.0, 1.4826 * 5])
    np.testing.assert_array_equal(times_usual(2).threshold(found)[3:], [20.0, 30.0])
    np.testing.assert_allclose(deviations(3).threshold(found)[3], 13.0)
    np.testing.assert_array_equal(window(90).threshold(found), np.full(5, 90.0))


def test_a_shop_without_orders_has_no_silence():
    """Every rule has something to say about nothing."""
    found = silences([shop()], DAY_US)
    assert len(found) == 0
    assert [len(rule.threshold(found)) for rule in LOST_RULES] == [0] * len(LOST_RULES)


def test_choices_have_names_of_their_own():
    """The windows that the command promises, and four own-rhythm thresholds."""
    codes = [rule.code for rule in LOST_RULES]
    assert codes[:8] == [f"window_{d}" for d in (30, 45, 60, 90, 120, 180, 270, 365)]
    assert codes[8:] == ["rhythm_2x", "rhythm_3x", "rhythm_4x", "rhythm_z3"]
    assert [rule.window_days for rule in LOST_RULES[8:]] == pytest.approx([None] * 4)
