"""The stored population: used again while its history is the same, replaced when it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

import churnguard
from churnguard.features.population import PARAMETERS, Population
from churnguard.jobs.population import stored_population
from churnguard.project.layout import Layout
from churnguard.project.template import create_project


@pytest.fixture
def shop(tmp_path):
    """A project without events."""
    create_project(tmp_path / "shop", name="shop", timezone="UTC")
    return churnguard.open_shop(tmp_path / "shop", environ={})


def fitted(name, at, number, digest):
    """Return a population of one fit."""
    numbers = np.full((1, len(PARAMETERS)), number)
    return Population(np.array([at]), (name,), numbers, (digest,))


def stored(shop):
    return Population.from_table(pq.read_table(Layout(shop.root).population))


def test_the_first_fit_is_stored(shop):
    """Nothing is stored at first; what was fitted then is."""
    seen = []
    one = fitted("2026-01-01", 10, 1.0, "x")
    assert stored_population(shop, lambda old: seen.append(old) or one) is one
    assert seen == [None]
    assert stored(shop).stored_fits().keys() == {("2026-01-01", "x")}


def test_fits_gather_and_a_changed_history_takes_the_place_of_the_old_one(shop):
    """Other grid points stay; the same one with another history is replaced."""
    stored_population(shop, lambda _: fitted("2026-01-01", 10, 1.0, "x"))
    stored_population(shop, lambda _: fitted("2026-02-01", 20, 2.0, "y"))
    stored_population(shop, lambda _: fitted("2026-01-01", 10, 3.0, "z"))
    assert stored(shop).names == ("2026-01-01", "2026-02-01")
    assert stored(shop).digests == ("z", "y")
    assert stored(shop).parameters[:, 0].tolist() == [3.0, 2.0]


def test_nothing_new_leaves_the_file_alone(shop):
    """The file is written when a fit is new, and only then."""
    one = fitted("2026-01-01", 10, 1.0, "x")
    stored_population(shop, lambda _: one)
    before = Layout(shop.root).population.stat().st_mtime_ns
    stored_population(shop, lambda _: replace(one))
    assert Layout(shop.root).population.stat().st_mtime_ns == before


def test_a_damaged_file_is_fitted_anew(shop):
    """The file is derived: what cannot be read is made again."""
    file = Layout(shop.root).population
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"not a table")
    stored_population(shop, lambda old: fitted("2026-01-01", 10, 1.0, "x") if old is None else old)
    assert stored(shop).names == ("2026-01-01",)
