"""The signals find in a simulated shop's log what its truth says happened there.

``benchmarks/truth_recovery.py``, which ``docs/simulator.md`` quotes, says what is compared and how.
"""

from __future__ import annotations

import importlib
import sys

import pytest

from churnguard.events.simulation import CAUSES, SimulationPlan, simulate

NAME = "truth_recovery"


@pytest.fixture(scope="module")
def recovery(repo_root):
    """Give the benchmark's module, and forget it afterwards."""
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(repo_root / "benchmarks"))
        yield importlib.import_module(NAME)
    del sys.modules[NAME]


@pytest.fixture(scope="module")
def shop():
    """A shop whose clocks change, that leaves enough customers for every cause."""
    return simulate(
        SimulationPlan(customers=1_500, days=500, seed=11, timezone="Asia/Jerusalem", leaving=1.3)
    )


def test_carts_derived_as_abandoned_are_the_carts_that_were_left(recovery, shop):
    """All of them, and no other, but those whose customer bought within a day all the same."""
    found = recovery.carts(shop)
    assert found["left"] > 1_000
    assert found["precision"] == 1.0
    assert found["differences_where_not_bought_within_a_day"] == 0
    assert found["left"] - found["derived"] == found["left_but_bought_within_a_day"] > 0
    assert found["recall"] > 0.97


def test_streaks_are_the_truths_own_counts(recovery, shop):
    """Carts left since the last order, and fruitless searches in a row, at every point in time."""
    for signal, found in recovery.streaks(shop, recovery.known_at_once(shop)).items():
        assert found["different"] == 0, signal
        assert found["above_zero"] > 200
        assert found["longest"] >= 3


def test_late_messages_hide_next_to_nothing(recovery, shop):
    """Seen by two clocks, at most one streak in a thousand differs from the truth."""
    for signal, found in recovery.streaks(shop, shop.events).items():
        assert found["different"] <= found["rows"] / 1_000, signal


def test_a_cause_shows_in_its_own_signal_more_than_in_any_other(recovery, shop):
    """By how well a signal tells those who left for the cause from those who left for others.

    Silence and a falling need show in one signal, as do late deliveries and bad service: tickets.
    """
    found = recovery.causes(shop)
    assert set(found) == set(CAUSES)
    at_least = dict.fromkeys(CAUSES, 0.75) | {"silence": 0.62, "need": 0.7}
    for cause, told in found.items():
        assert told["left"] >= 30
        own = told["auc"].pop(told["shows_in"])
        assert own > at_least[cause], cause
        assert own > 0.1 + max(told["auc"].values()), cause
