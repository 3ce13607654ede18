"""What holds for every feature row, whatever the events; ``feature_oracle`` is the slow truth."""

from __future__ import annotations

import random
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churnguard.events.timeline import Timeline
from churnguard.features.build import build_features
from churnguard.features.catalogue import Catalogue
from churnguard.features.population import Population

ORACLE = runpy.run_path(str(Path(__file__).with_name("feature_oracle.py")))
DAY, events, instants, table = (ORACLE[name] for name in ("DAY", "events", "instants", "table"))
OracleRows = ORACLE["OracleRows"]

CATALOGUE = Catalogue.of()
POPULATION = Population(
    np.array([100 * DAY, 300 * DAY]),
    ("1970-04-11", "1970-10-28"),
    np.array(
        [
            [0.4, 20.0, 0.8, 2.5, 0.5, 25.0, 0.6, 2.0, 6.25, 3.74, 15.44],
            [0.5, 30.0, 0.7, 2.0, 0.6, 35.0, 0.9, 2.5, 4.0, 2.5, 30.0],
        ]
    ),
)
CHECKS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def rows_of(log, wanted):
    """Build rows for (customer id, cutoff) pairs; customers without events get none."""
    timeline = Timeline.from_arrow(table(log))
    place = {customer: code for code, customer in enumerate(timeline.customer_ids)}
    wanted = [(customer, at) for customer, at in wanted if customer in place]
    return build_features(
        timeline,
        CATALOGUE,
        np.array([place[customer] for customer, _ in wanted], np.int32),
        np.array([at for _, at in wanted], np.int64),
        population=POPULATION,
    )


def same_bits(one, other):
    return one.values.tobytes() == other.values.tobytes()


@CHECKS
@given(log=events(), cutoffs=st.lists(instants, min_size=1, max_size=3))
def test_a_row_holds_what_the_slow_oracle_says(log, cutoffs):
    """Every column equals the same signal computed in plain Python from the events known then."""
    wanted = [(customer, at) for at in cutoffs for customer in ("a", "b")]
    rows = rows_of(log, wanted)
    for row, customer, at in zip(rows.values, rows.customer_ids, rows.cutoffs, strict=True):
        oracle = OracleRows(log, customer, int(at), POPULATION)
        for name, found, number in zip(rows.names, CATALOGUE.signals, row, strict=True):
            expected = float(found.compute(oracle)[0])
            assert number == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True), name


@CHECKS
@given(log=events(), later=events(customers=("a",)), at=instants)
def test_nothing_from_after_the_cutoff_changes_a_row(log, later, at):
    """Events that occur at the cutoff or after, or become known then or later, change no bit."""
    planted = []
    for number, event in enumerate(later):
        received = max(event["received_at"], at)
        moved = event | {"received_at": received, "event_id": f"planted{number}"}
        planted.append(moved)
        ahead = {"occurred_at": max(event["occurred_at"], at), "event_id": f"ahead{number}"}
        planted.append(moved | ahead | {"received_at": max(event["occurred_at"], at)})
    there = [(c, at) for c in ("a", "b") if any(row["customer_id"] == c for row in log)]
    assert same_bits(rows_of(log, there), rows_of(log + planted, there))


@CHECKS
@given(log=events(), cutoffs=st.lists(instants, min_size=1, max_size=4))
def test_one_row_equals_many_bit_for_bit(log, cutoffs):
    """A row computed alone, from its customer's events alone, has the bits it has among others."""
    wanted = [(customer, at) for at in cutoffs for customer in ("a", "b")]
    many = rows_of(log, wanted)
    for place, (customer, at) in enumerate(zip(many.customer_ids, many.cutoffs, strict=True)):
        own = [event for event in log if event["customer_id"] == customer]
        alone = rows_of(own, [(customer, int(at))])
        assert alone.values.tobytes() == many.values[place].tobytes()


@CHECKS
@given(log=events(), cutoffs=st.lists(instants, min_size=1, max_size=4), seed=st.integers(0, 99))
def test_order_of_events_and_rows_does_not_matter(log, cutoffs, seed):
    """Shuffled events and shuffled rows give the same rows, and more customers change none."""
    wanted = [(customer, at) for at in cutoffs for customer in ("a", "b")]
    shuffle = random.Random(seed).shuffle
    shuffled, others = list(log), [event | {"customer_id": "c"} for event in log]
    others = [event | {"event_id": "other" + event["event_id"]} for event in others]
    shuffled += others
    shuffle(shuffled)
    turned = wanted[::-1]
    straight, back = rows_of(log, wanted), rows_of(shuffled, turned)
    assert straight.values.tobytes() == back.values[::-1].tobytes()


@CHECKS
@given(log=events(), at=instants)
def test_a_late_event_is_seen_once_it_was_received(log, at):
    """A row is the row of the same events all on time, less those received too late for it."""
    known = [event for event in log if event["received_at"] < at]
    on_time = [event | {"received_at": event["occurred_at"]} for event in known]
    there = [(c, at) for c in ("a", "b") if any(row["customer_id"] == c for row in on_time)]
    assert same_bits(rows_of(log, there), rows_of(on_time, there))
