"""The contractual label: who is subscribed at the cutoff, and whose subscription ended for good."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from churnguard.clock import DAY_US
from churnguard.events.timeline import Timeline
from churnguard.labels import LABELS, order_gap, subscription

INSTANT = pa.timestamp("us", tz="UTC")
KINDS = {"+": "subscription_started", "=": "subscription_renewed", "-": "subscription_cancelled"}
T = 100


def service(**customers):
    """Build a timeline from each customer's (sign, occurred day[, received day])."""
    rows = [(name, *event) for name, events in customers.items() for event in events]
    received = [row[3] if len(row) > 3 else row[2] for row in rows]
    return Timeline.from_arrow(
        pa.table(
            {
                "event_id": pa.array([str(place) for place in range(len(rows))], pa.string()),
                "customer_id": pa.array([row[0] for row in rows], pa.string()),
                "event": pa.array([KINDS[row[1]] for row in rows], pa.string()),
                "occurred_at": pa.array([int(row[2] * DAY_US) for row in rows], INSTANT),
                "received_at": pa.array([int(day * DAY_US) for day in received], INSTANT),
            }
        )
    )


def subscribed(timeline, look_back=365):
    return list(timeline.customer_ids[subscription.eligible(timeline, T * DAY_US, look_back)])


@pytest.mark.parametrize(
    ("events", "runs"),
    [
        ([("+", 10)], True),
        ([("+", 10), ("=", 40)], True),
        ([("+", 10), ("-", 40)], False),
        ([("+", 10), ("-", 40), ("+", 60)], True),
        ([("-", 40)], False),
        ([("+", T)], False),
        ([("+", 10), ("-", T)], True),
        ([("+", 40), ("-", 40)], True),
        ([("+", 10, T)], False),
        ([("+", 10), ("-", 40, T)], True),
    ],
)
def test_who_is_subscribed(events, runs):
    """The last word known at the cutoff decides; one that came later does not."""
    assert subscribed(service(a=events)) == (["a"] if runs else [])


def test_a_subscription_beyond_the_look_back_does_not_count():
    """Half-open, as for orders: a start at T - look-back counts."""
    timeline = service(edge=[("+", 10)], old=[("+", 9.99)], renewed=[("+", 1), ("=", 50)])
    assert subscribed(timeline, look_back=90) == ["edge", "renewed"]


@pytest.mark.parametrize(
    ("later", "gone"),
    [
        ([], False),
        ([("-", 100)], True),
        ([("-", 129.99)], True),
        ([("-", 130)], False),
        ([("=", 110), ("-", 120)], True),
        ([("-", 110), ("=", 120)], False),
        ([("-", 110), ("+", 131)], True),
        ([("-", 110), ("+", 110)], False),
        ([("-", 110, 400)], True),
    ],
)
def test_who_has_churned(later, gone):
    """Ended and not taken up again by T + horizon, whenever that was learned."""
    timeline = service(a=[("+", 10), *later])
    cutoffs = np.array([T * DAY_US])
    found = subscription.churned(timeline, np.zeros(1, np.int32), cutoffs, 30)
    assert found.tolist() == [gone]


def test_each_row_has_its_own_cutoff():
    """Rows of one customer at several cutoffs are labelled each by its own horizon."""
    timeline = service(a=[("+", 10), ("-", 100)], b=[("+", 10)])
    codes = np.array([0, 0, 0, 1], np.int32)
    cutoffs = np.array([60, 70, 71, 71]) * DAY_US
    assert subscription.churned(timeline, codes, cutoffs, 30).tolist() == [
        False,
        False,
        True,
        False,
    ]


def test_a_shop_without_subscriptions_has_nobody():
    """No event of the kind, no customer, no error."""
    assert subscribed(service()) == []


def test_all_labels_answer_the_same_questions():
    """They stand in one registry, and maturity is one for all."""
    assert set(LABELS) == {"order_gap", "subscription", "activity"}
    assert subscription.mature is order_gap.mature
    for label in LABELS.values():
        nobody = label.eligible(service(), T * DAY_US, 90)
        assert nobody.dtype == np.int32
        assert label.churned(service(), nobody, np.zeros(0, np.int64), 90).shape == (0,)
