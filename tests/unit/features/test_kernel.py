"""The loops on windows of every size: short ones are sorted by insertion, long ones are not."""

from __future__ import annotations

import statistics
from collections import Counter

import numpy as np
import pytest

from churnguard.clock import DAY_US
from churnguard.events.timeline import MISSING
from churnguard.features import kernel, scans

SIZES = [1, 2, 3, 4, 5, 31, 32, 33, 34, 35, 200, 1001]


def window(size):
    return np.zeros(1, np.int64), np.array([size])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", range(5))
def test_gap_statistics_are_those_of_the_gaps(size, seed):
    """Mean, deviation, median, spread and longest gap equal Python's own statistics."""
    random = np.random.default_rng(seed)
    gaps = random.choice([0, 1, 5, 5, 7, 1000], size) * random.choice([1, DAY_US // 7], size)
    occurred = np.concatenate([[3], 3 + np.cumsum(gaps)])
    count, mean, sd = (float(n[0]) for n in scans.gap_moments(occurred, *window(size + 1)))
    median, spread, longest = (float(n[0]) for n in scans.gap_ranks(occurred, *window(size + 1)))
    days = [int(gap) / DAY_US for gap in gaps]
    middle = statistics.median(days)
    assert count == size
    assert mean == pytest.approx(statistics.fmean(days))
    assert np.isnan(sd) if size == 1 else sd == pytest.approx(statistics.stdev(days))
    assert median == pytest.approx(middle)
    assert spread == pytest.approx(statistics.median(abs(day - middle) for day in days))
    assert longest == pytest.approx(max(days))


@pytest.mark.parametrize("size", SIZES)
def test_the_median_skips_what_is_missing(size):
    """Missing numbers take no part in the median, whatever the size of the window."""
    random = np.random.default_rng(size)
    numbers = random.integers(-50, 50, size)
    holes = np.where(random.random(size) < 0.3, MISSING, numbers)
    there = [int(number) for number in holes if number != MISSING]
    (median,) = scans.window_median(holes, *window(size), 10)
    assert np.isnan(median) if not there else median == statistics.median(there) / 10


def test_the_newest_received_restarts_with_each_customer():
    """What is known of one customer does not spill over to the next."""
    received = np.array([5, 3, 9, 1, 2])
    latest = kernel.latest_received(received, np.array([0, 3, 3, 5]))
    assert latest.tolist() == [5, 5, 9, 1, 2]


def test_the_season_comes_round():
    """The angle is 0 at the turn of 1970, a right angle a quarter year on, and comes round."""
    year = kernel.YEAR_DAYS * DAY_US
    cutoffs = (np.array([0.0, 0.25, 1.25]) * year).astype(np.int64)
    sine, cosine, double_sine, double_cosine = kernel.season(cutoffs)
    assert sine == pytest.approx([0, 1, 1])
    assert cosine == pytest.approx([1, 0, 0], abs=1e-6)
    assert double_sine == pytest.approx([0, 0, 0], abs=1e-6)
    assert double_cosine == pytest.approx([1, -1, -1])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", range(5))
def test_the_commonest_word_is_counted_in_the_window_alone(size, seed):
    """As Python's own counter over the window; words before it and missing ones do not count."""
    words = np.random.default_rng(seed).integers(-1, 4, size + 7)
    met, previous = {}, []
    for place, word in enumerate(words.tolist()):
        previous.append(np.iinfo(np.int64).max if word < 0 else met.get(word, -1))
        met[word] = place
    low, high = np.array([7, 0, 3]), np.array([size + 7, size, 3])
    counted = [
        max(Counter(word for word in words[a:b].tolist() if word >= 0).values(), default=0)
        for a, b in zip(low, high, strict=True)
    ]
    found = scans.window_most_often(np.array(previous), low, high)
    assert found.tolist() == counted
