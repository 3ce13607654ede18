"""Calibration by slice: how far risks are off, how surely, and silence where rows are few."""

from __future__ import annotations

import numpy as np
import pytest

from churnguard.training.backtest import Backtest, Judged
from churnguard.training.slice_calibration import EVERYBODY, slice_calibration, to_text


def shop(rows, *, risk=0.4, rate=0.4, seed=1):
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < rate).astype(np.int8)
    return y, np.full(rows, risk), np.array([f"c{place}" for place in range(rows)])


def test_a_promise_that_is_off_is_told_with_its_noise():
    y, risk, who = shop(4_000, risk=0.5, rate=0.4)
    found = slice_calibration("new", y, risk, who)
    assert found.off == pytest.approx(0.1, abs=0.03)
    assert found.noise == pytest.approx(np.sqrt(0.4 * 0.6 / 4_000), rel=0.05)
    assert found.ece == pytest.approx(found.off, abs=0.03)


def test_rows_of_one_customer_count_once():
    """The same customers told four times over: no more is known, so the noise stays."""
    y, risk, who = shop(1_000)
    once = slice_calibration("new", y, risk, who)
    again = slice_calibration("new", np.tile(y, 4), np.tile(risk, 4), np.tile(who, 4))
    assert again.noise == pytest.approx(once.noise)
    assert again.off == pytest.approx(once.off)


@pytest.mark.parametrize(("rows", "rate"), [(150, 0.5), (1_000, 0.01), (1_000, 0.99)])
def test_a_thin_slice_gives_no_figure(rows, rate):
    found = slice_calibration("dormant", *shop(rows, rate=rate))
    assert (found.off, found.noise, found.ece) == (None, None, None)
    assert found.to_dict()["churned"] is None
    assert "too few to judge" in to_text([found])


def test_a_backtest_tells_everybody_and_each_slice_over_all_cutoffs():
    """One slice is right and the other is not: the whole hides it, the slices do not."""
    judged = []
    for seed in (1, 2):
        y, risk, who = shop(2_000, risk=0.5, rate=0.5, seed=seed)
        new = np.arange(2_000) < 1_000
        y[new] = (np.arange(1_000) % 10 < 3).astype(np.int8)
        y[~new] = (np.arange(1_000) % 10 < 7).astype(np.int8)
        judged.append(Judged(seed, who, y, {"churnguard": risk}, 1.0, {"new": new, "old": ~new}))
    told = {one.name: one for one in Backtest(tuple(judged), contacts=20).by_slice()}
    assert told[EVERYBODY].off == pytest.approx(0.0, abs=1e-9)
    assert told["new"].off == pytest.approx(0.2)
    assert told["old"].off == pytest.approx(-0.2)
    assert told["new"].rows == 2_000
