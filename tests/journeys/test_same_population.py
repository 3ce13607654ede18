"""One population: what training used is stored, travels in the bundle, and is named in each row."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow.parquet as pq
import pytest

import churnguard
from churnguard.clock import to_us
from churnguard.events.timeline import Timeline
from churnguard.features.population import Population
from churnguard.jobs.champion import champion_for
from churnguard.jobs.scoring_context import feature_rows
from churnguard.project.layout import Layout

pytestmark = pytest.mark.timeout(300)

AS_OF = datetime(2026, 9, 1, tzinfo=UTC)


def test_the_bundle_holds_the_stored_fits(trained) -> None:
    """Every fit of the bundle is in the project's file, with its digest, to the bit."""
    held = champion_for(trained.shop, None).bundle.population
    stored = Population.from_table(pq.read_table(Layout(trained.root).population)).stored_fits()
    assert held is not None
    fits = held.stored_fits()
    assert set(fits) <= set(stored)
    assert all(fits[key].tobytes() == stored[key].tobytes() for key in fits)


def test_training_and_serving_use_one_population_and_name_it(trained) -> None:
    """A row of ``build`` and a row of serving hold the same bits, and name the same fit."""
    shop, champion = trained.shop, champion_for(trained.shop, None)
    built, _ = churnguard.build(shop, [AS_OF])
    ids = built["customer_id"].to_pylist()[::40]
    rows = feature_rows(Timeline.from_arrow(shop.events.events_of(ids)), champion, as_of=AS_OF)
    assert rows.customer_ids.tolist() == ids
    served, named = rows.to_arrow(), set(built["population"].to_pylist())
    assert set(rows.fits()) == named
    for name in rows.names:
        there, here = (
            np.asarray(table[name].to_numpy(zero_copy_only=False), np.float64)
            for table in (built.take(list(range(0, len(built), 40))), served)
        )
        assert there.tobytes() == here.tobytes(), name
    (score,) = churnguard.score(shop, ids[:1], as_of=AS_OF)
    assert named == {score.model.population}
    population = champion.bundle.population
    assert population is not None
    assert named == {population.name_at(to_us(AS_OF))} == {"2026-09-01"}
