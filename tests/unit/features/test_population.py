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
    PARAMETERS,
    Population,
    fit_histories,
    fit_population,
    order_history,
    population_grid,
)

INSTANT = pa.timestamp("us", tz="UTC")
BEGIN = to_us(datetime(2026, 1, 1, tzinfo=UTC))


def orders(*rows, value=20.0):
    """Build a timeline from (customer_id, day, day received), counted from the first of 2026."""
    return Timeline.from_arrow(
        pa.table(
            {
                "event_id": [str(place) for place in range(len(rows))],
                "customer_id": pa.array([row[0] for row in rows], pa.string()),
                "event": pa.array(["order_completed"] * len(rows), pa.string()),
                "occurred_at": pa.array([BEGIN + int(row[1] * DAY_US) for row in rows], INSTANT),
                "received_at": pa.array([BEGIN + int(row[2] * DAY_US) for row in rows], INSTANT),
                "value": pa.array([value] * len(rows), pa.float64()),
            }
        )
    )


def shop(**parts):
    """A shop of 200 customers with rhythms of their own."""
    random = np.random.default_rng(3)
    rows = []
    for customer in range(200):
        days = np.cumsum(random.exponential(10 + customer % 40, random.integers(1, 9)))
        rows += [(f"c{customer}", day, day) for day in days if day < 200]
    return orders(*rows, **parts)


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
    assert history.tolist() == [[1.0, 10.0, 20.0, 2.0, 60.0], [0.0, 0.0, 19.0, 1.0, 20.0]]


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


def test_an_older_table_is_read_without_what_it_lacks():
    """A population written before order values were modelled has none, and keeps the rest."""
    fitted = fit_population([shop()], [BEGIN + 150 * DAY_US], timezone="UTC")
    older = fitted.to_table().drop_columns(["gamma_p", "gamma_q", "gamma_v", "digest"])
    again = Population.from_table(older)
    assert again.parameters[:, :8].tobytes() == fitted.parameters[:, :8].tobytes()
    assert np.isnan(again.parameters[:, 8:]).all()
    assert again.stored_fits() == {}


def test_orders_without_value_leave_only_the_value_unknown():
    """A shop that does not tell what orders came to still has its rhythms."""
    timeline = shop(value=None)
    cutoffs = np.array([BEGIN + 150 * DAY_US])
    fitted = fit_population([timeline], cutoffs, timezone="UTC")
    rows = build_features(
        timeline, Catalogue.of(["lifetime"]), np.zeros(1, np.int32), cutoffs, population=fitted
    )
    missing = [name for name, n in zip(rows.names, rows.values[0], strict=True) if np.isnan(n)]
    assert missing == ["expected_order_value", "expected_spend_90d"]


def test_a_stored_fit_is_used_while_its_history_stays_the_same():
    """Fitted once: the same history finds it, another history does not."""
    timeline, cutoffs = shop(), [BEGIN + 100 * DAY_US, BEGIN + 150 * DAY_US]
    stored = fit_population([timeline], cutoffs, timezone="UTC")
    spoiled = Population(stored.fitted_at, stored.names, stored.parameters + 1, stored.digests)
    again = fit_population([timeline], cutoffs, timezone="UTC", stored=spoiled)
    assert (again.parameters == spoiled.parameters).all()
    other = fit_population([shop(value=30.0)], cutoffs, timezone="UTC", stored=spoiled)
    assert not (other.parameters == spoiled.parameters).any()


def test_events_of_later_change_no_stored_fit():
    """A fit's digest holds what was known at its grid point, and nothing of what came after."""
    early = orders(*[(f"c{n}", n % 50, n % 50) for n in range(100)])
    later = orders(
        *[(f"c{n}", n % 50, n % 50) for n in range(100)],
        *[(f"c{n}", n % 50, 100) for n in range(100)],
        *[(f"c{n}", 100 + n, 100 + n) for n in range(100)],
    )
    at = [BEGIN + 62 * DAY_US]
    assert fit_population([early], at, timezone="UTC").digests == (
        fit_population([later], at, timezone="UTC").digests
    )


def test_the_digest_follows_every_customer_and_not_their_order():
    """Customers may come in any order; one day more of one customer is another history."""
    history = order_history(shop(), BEGIN + 150 * DAY_US)
    at = [BEGIN + 151 * DAY_US]
    turned = fit_histories([history[::-1]], at, timezone="UTC")
    straight = fit_histories([history], at, timezone="UTC")
    assert turned.digests == straight.digests
    assert turned.parameters.tobytes() == straight.parameters.tobytes()
    history[7, 2] += 1.0
    assert fit_histories([history], at, timezone="UTC").digests != straight.digests


def test_every_row_names_its_fit():
    """Before the first grid point there is none; later rows name the newest before them."""
    fits = np.ones((2, len(PARAMETERS)))
    both = Population(np.array([10, 20]), ("1970-01-01", "1970-02-01"), fits)
    assert both.names_at(np.array([25, 9, 10])) == ["1970-02-01", None, "1970-01-01"]
    assert np.isnan(both.parameters_at(np.array([9]))).all()


def test_populations_join_by_grid_point_and_the_first_one_wins():
    """A bundle keeps its own fits; what was stored later is added to them."""
    shape = (2, len(PARAMETERS))
    own = Population(np.array([10, 20]), ("a", "b"), np.ones(shape), ("x", "y"))
    later = Population(np.array([20, 30]), ("b", "c"), np.full(shape, 2.0))
    joined = own.joined(later)
    assert joined.names == ("a", "b", "c")
    assert joined.parameters[:, 0].tolist() == [1.0, 1.0, 2.0]
    assert joined.digests == ("x", "y", "")
    assert later.joined(own).names == ("a", "b", "c")


def test_rows_tell_which_fit_they_used():
    """Rows name the fit of their cutoff, also those that are taken from others."""
    timeline, cutoffs = shop(), BEGIN + np.array([100, 20, 150]) * DAY_US
    fitted = fit_population([timeline], cutoffs[[0, 2]], timezone="UTC")
    three = np.zeros(3, np.int32)
    rows = build_features(timeline, Catalogue.of(["tenure"]), three, cutoffs, population=fitted)
    assert rows.fits() == ["2026-04-01", None, "2026-05-01"]
    assert rows.take(np.array([2, 1])).fits() == ["2026-05-01", None]
    bare = build_features(timeline, Catalogue.of(["tenure"]), three, cutoffs)
    assert bare.fits() == [None, None, None]
