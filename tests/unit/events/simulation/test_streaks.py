"""What befell a customer in a row is counted as one would count it by hand, visit by visit."""

from __future__ import annotations

import numpy as np

from churnguard.events.simulation.streaks import STREAK_DAYS, streaks


def by_hand(visits, customer, day):
    """Walk through one customer's visits before a day."""
    carts = streak = empty = 0
    for who, when, bought, left, searches, empties in visits:
        if who != customer or when >= day:
            continue
        streak = 0 if bought else streak
        if left and when < day - 1:
            carts, streak = carts + 1, streak + 1
        if searches > empties:
            empty = 0
        elif when >= day - STREAK_DAYS:
            empty += empties
    return carts, streak, empty


def test_counts_are_those_of_a_walk_through_the_visits():
    """Whatever the visits, for customers with and without any, in whatever order rows are asked."""
    rng = np.random.default_rng(5)
    there = np.flatnonzero(rng.random(3 * 300) < 0.15)
    bought = rng.random(len(there)) < 0.1
    searches = rng.integers(0, 3, len(there))
    columns = {
        "customer": there // 300,
        "day": there % 300,
        "bought": bought.astype(np.int64),
        "cart_left": (~bought & (rng.random(len(there)) < 0.4)).astype(np.int64),
        "searches": searches,
        "empty": np.where(rng.random(len(there)) < 0.8, searches, 0),
    }
    by_day = np.argsort(columns["day"], kind="stable")  # as a run notes them
    visits = {name: values[by_day] for name, values in columns.items()}
    customer, day = rng.permutation(np.indices((4, 301)).reshape(2, -1), axis=1)
    found = streaks(visits, customer, day)
    rows = list(zip(*visits.values(), strict=True))
    expected = np.array([by_hand(rows, c, d) for c, d in zip(customer, day, strict=True)])
    assert expected.max(axis=0).min() > 2
    np.testing.assert_array_equal(np.column_stack(list(found.values())), expected)
