"""What the population promises: a fixed grid, fitted from what was known, the newest one used."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa

from churnguard.clock import DAY_US, to_us
from churnguard.events.timeline import Timeline
from churnguard.features.build import build_features
from churnguard.features.catalogue import Catalogue
from churnguard.features.population import (
    Population,
    fit_population,
    order_history,
    population_grid,
)

INSTANT = pa.timestamp("us", tz="UTC")
BEGIN = to_us(datetime(2026, 1, 1, tzinfo=UTC))


def orders(*rows):
    """Build a timeline from (customer_id, day, day received), counted from the first of 2026."""
    return Timeline.from_arrow(
        pa.table(
            {
                "event_id": [str(place) for place in range(len(rows))],
                "customer_id": pa.array([row[0] for row in rows], pa.string()),
                "event": pa.array(["order_completed"] * len(rows), pa.string()),
                "occurred_at": pa.array([BEGIN + int(row[1] * DAY_US) for row in rows], INSTANT),
                "received_at": pa.array([BEGIN + int(row[2] * DAY_US) for row in rows], INSTANT),
            }
        )
    )


def shop():
    """A shop of 200 customers with rhythms of their own."""
    random = np.random.default_rng(3)
    rows = []
    for customer in range(200):
        days = np.cumsum(random.exponential(10 + customer % 40, random.integers(1, 9)))
        rows += [(f"c{customer}", day, day) for day in days if day < 200]
    return orders(*rows)


def test_the_grid_is_the_first_of_each_month_in_the_shop():
    """Cutoffs of one shop-local month share a point, named by its date."""
    last_late = datetime(2026, 11, 30, 21, 59, tzinfo=UTC)
    first_there = datetime(2026, 11, 30, 22, 0, tzinfo=UTC)
    cutoffs = [to_us(last_late), to_us(first_there)]
    assert population_grid(cutoffs, timezone="Asia/Jerusalem") == (
        date(2026, 11, 1),
        date(2026, 12, 1),
    )
    assert population_grid(cutoffs, timezone="UTC") == (date(2026, 11, 1),)


def test_the_history_is_what_was_known_then():
    """Orders after the instant, by either clock, do not count; a day's orders are one visit."""
    timeline = orders(
        ("a", 1, 1), ("a", 1.5, 1.5), ("a", 11, 11), ("a", 30, 30), ("b", 5, 40), ("c", 2, 2)
    )
    history = order_history(timeline, BEGIN + 21 * DAY_US)
    assert history.tolist() == [[1.0, 10.0, 20.0], [0.0, 0.0, 19.0]]


def test_a_row_uses_the_newest_fit_and_not_a_later_one():
    """A later fit beside it does not change a row; a fit after the cutoff is no fit."""
    timeline = shop()
    catalogue = Catalogue.of(["lifetime"])
    cutoffs = BEGIN + np.array([100, 150]) * DAY_US
    both = fit_population([timeline], cutoffs, timezone="UTC")
    first = fit_population([timeline], cutoffs[:1], timezone="UTC")
    customer = np.zeros(1, np.int32)
    alone = build_features(timeline, catalogue, customer, cutoffs[:1], population=first)
    beside = build_features(timeline, catalogue, customer, cutoffs[:1], population=both)
    assert np.isfinite(alone.values).all()
    assert alone.values.tobytes() == beside.values.tobytes()
    early = build_features(
        timeline, catalogue, customer, cutoffs[:1] - 99 * DAY_US, population=both
    )
    assert np.isnan(early.values).all()
    assert both.name_at(int(cutoffs[1])) == both.names[1]


def test_partitions_fit_the_same_as_the_whole():
    """Fitting over two partitions of customers gives the bits of fitting over all at once."""
    timeline = shop()
    half = len(timeline.customer_ids) // 2
    everyone = np.arange(len(timeline.customer_ids), dtype=np.int32)
    ever = np.full(len(everyone), np.iinfo(np.int64).max)
    parts = [
        timeline.known_at(everyone[:half], ever[:half]),
        timeline.known_at(everyone[half:], ever[half:]),
    ]
    cutoffs = [BEGIN + 150 * DAY_US]
    whole = fit_population([timeline], cutoffs, timezone="UTC")
    assert fit_population(parts, cutoffs, timezone="UTC").parameters.tobytes() == (
        whole.parameters.tobytes()
    )


def test_a_thin_shop_has_a_population_without_numbers():
    """Too few customers: the fit is missing, and so are the signals built on it."""
    timeline = orders(("a", 1, 1), ("a", 20, 20))
    cutoffs = np.array([BEGIN + 60 * DAY_US])
    thin = fit_population([timeline], cutoffs, timezone="UTC")
    rows = build_features(
        timeline, Catalogue.of(["lifetime"]), np.zeros(1, np.int32), cutoffs, population=thin
    )
    assert np.isnan(rows.values).all()


def test_a_population_survives_its_table():
    """Stored and read, it is the same to the bit."""
    fitted = fit_population([shop()], [BEGIN + 150 * DAY_US], timezone="UTC")
    again = Population.from_table(fitted.to_table())
    assert again.names == fitted.names
    assert again.fitted_at.tolist() == fitted.fitted_at.tolist()
    assert again.parameters.tobytes() == fitted.parameters.tobytes()
