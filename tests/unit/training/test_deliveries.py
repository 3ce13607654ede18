"""Half of the events lost is seen in shops of every size; chance and campaigns are not."""

from __future__ import annotations

import numpy as np
import pytest

from churnguard.training.deliveries import Came, compare_delivery

QUIET = np.array([2.0, 2.1] * 7)


def came(events: np.ndarray, cutoffs: int = 1) -> Came:
    return Came(events.astype(float), np.full(len(events), float(cutoffs)), cutoffs)


@pytest.mark.parametrize("customers", [200, 1_000, 20_000])
def test_half_of_the_events_is_seen_and_chance_is_not(customers: int) -> None:
    habits = np.random.default_rng(customers).gamma(1.0, 2.0, customers)
    for seed in range(50):
        before, now = np.random.default_rng(seed).poisson(habits, (2, customers))
        half = np.random.default_rng(seed).binomial(now, 0.5)
        quiet, broken, doubled = (
            compare_delivery(
                "signed_in", {"learned": came(before)}, came(some), earlier=QUIET, comparisons=18
            )
            for some in (now, half, now + half + half)
        )
        assert (quiet.drifted, broken.drifted, doubled.drifted) == (False, True, True)


def test_many_events_of_one_customer_are_one_customer() -> None:
    """Somebody's robot doubles the events of the shop, and then is gone: no feed is at fault."""
    before = np.random.default_rng(1).poisson(2.0, 500)
    robot = before.copy()
    robot[0] = 1_000
    for sides in ((before, robot), (robot, before)):
        reference, current = map(came, sides)
        found = compare_delivery("signed_in", {"learned": reference}, current, earlier=QUIET)
        assert abs(found.nearest.share) > 1 / 3
        assert not found.drifted


def test_a_kind_that_has_always_come_in_waves_is_no_alarm() -> None:
    """A coupon is sent every third month; a window without one is as it always was."""
    before, now = np.random.default_rng(2).poisson([[3.0], [1.0]], (2, 5_000))
    waves = np.array([1.0, 1.0, 3.0] * 5)
    steady, waving = (
        compare_delivery("coupon_applied", {"learned": came(before)}, came(now), earlier=means)
        for means in (QUIET, waves)
    )
    assert (steady.drifted, waving.drifted) == (True, False)


def test_a_kind_is_compared_only_where_enough_is_known_of_it() -> None:
    """Few events, or a history of a few windows: nothing is said, even where nothing comes."""
    nothing, some = np.zeros(1_000), np.ones(1_000)
    few = (np.arange(1_000) < 29).astype(float)
    for before, means in ((few, QUIET), (some, QUIET[:6])):
        found = compare_delivery("x", {"learned": came(before)}, came(nothing), earlier=means)
        assert not found.drifted
    assert compare_delivery("x", {"learned": came(some)}, came(nothing), earlier=QUIET).drifted


def test_it_has_to_differ_from_every_reference_and_in_the_same_way() -> None:
    one = np.ones(1_000)
    for season in (one, one / 2):
        references = {"season": came(season), "learned": came(2 * one)}
        assert not compare_delivery("x", references, came(one), earlier=QUIET).drifted
    references = {"season": came(4 * one), "learned": came(2 * one)}
    found = compare_delivery("x", references, came(one), earlier=QUIET)
    assert found.drifted
    assert found.nearest.before == 2
