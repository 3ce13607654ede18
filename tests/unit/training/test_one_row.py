"""One row's margin by the prepared call: the same bits, whoever asks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import lightgbm
import numpy as np
import pytest

from churnguard.training.one_row import OneRow


@pytest.fixture(scope="module")
def booster():
    random = np.random.default_rng(1)
    rows = random.normal(size=(500, 6))
    rows[random.random(rows.shape) < 0.2] = np.nan
    churned = np.nan_to_num(rows[:, 0]) + random.normal(size=500) > 0
    parameters = {"objective": "binary", "num_leaves": 15, "num_threads": 1, "verbose": -1}
    return lightgbm.train(parameters, lightgbm.Dataset(rows, churned), 40)


@pytest.fixture(scope="module")
def rows():
    rows = np.random.default_rng(2).normal(size=(400, 6))
    rows[::3, 1], rows[::7, 2] = np.nan, np.inf
    return rows


def test_one_row_gives_the_bits_of_many(booster, rows):
    """Also from several threads at once, and from a copy."""
    wanted = booster.predict(rows, raw_score=True, num_threads=1).tobytes()
    for one in (OneRow(booster), deepcopy(OneRow(booster))):
        with ThreadPoolExecutor(4) as pool:
            assert np.array(list(pool.map(one.margin, rows))).tobytes() == wanted


@pytest.mark.parametrize(
    "row", [np.zeros(5), np.zeros(7), np.zeros(6, dtype=np.float32), np.zeros(12)[::2]]
)
def test_what_is_no_row_of_the_trees_is_refused(booster, row):
    """Nothing is ever read beside the row."""
    with pytest.raises(ValueError, match="One row of 6"):
        OneRow(booster).margin(row)
