"""The collector of cycles is left as it was found."""

from __future__ import annotations

import gc

import pytest

from churnguard.jobs.many_records import holding_many_records


def test_jobs_side_by_side_leave_the_collector_as_the_first_found_it():
    """Whichever of them ends first."""
    before = gc.get_threshold()
    one, other = holding_many_records(), holding_many_records()
    one.__enter__()
    seldom = gc.get_threshold()
    other.__enter__()
    one.__exit__(None, None, None)
    assert gc.get_threshold() == seldom != before
    other.__exit__(None, None, None)
    assert gc.get_threshold() == before


def test_a_job_that_fails_leaves_it_too():
    before = gc.get_threshold()
    with pytest.raises(ZeroDivisionError), holding_many_records():
        1 / 0  # noqa: B018
    assert gc.get_threshold() == before


def test_young_cycles_are_still_collected():
    """A job does not pile up what nothing refers to any more."""

    class Ring:
        alive = 0

        def __init__(self):
            self.own, self.padding = self, []
            Ring.alive += 1

        def __del__(self):
            Ring.alive -= 1

    with holding_many_records():
        for _ in range(200_000):
            Ring()
        assert Ring.alive < 100_000
    gc.collect()
