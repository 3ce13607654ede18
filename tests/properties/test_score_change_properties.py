"""Every move of a score is split into what moved it, and the parts add up to the last bit."""

from __future__ import annotations

import math
from datetime import timedelta
from itertools import permutations
from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from churnguard.clock import from_us, to_us
from churnguard.events.timeline import Timeline
from churnguard.features.build import build_features
from churnguard.features.catalogue import Catalogue
from churnguard.jobs.ports import Standing
from churnguard.jobs.score_changes import adds_up, on_grid, split_moves
from churnguard.testing import NOON, build_events

DAY = timedelta(days=1)
START, THEN, NOW = NOON - 90 * DAY, NOON - 30 * DAY, NOON
CATALOGUE = Catalogue.of(["orders", "rhythm"])
CHECKS = settings(max_examples=40, deadline=None)


def model(seed):
    """A champion whose margin is a sum over signals with odd weights; missing ones weigh too."""
    weights = np.random.default_rng(seed).normal(0, 0.37, len(CATALOGUE.names))

    def margins(X):
        known = np.where(np.isnan(X), 1.7, np.log1p(np.abs(X)))
        return np.array([math.fsum(row * weights) for row in known])

    bundle = SimpleNamespace(
        digest=f"sha256:{seed}",
        catalogue=CATALOGUE,
        population=None,
        model=SimpleNamespace(margins=margins),
    )
    return SimpleNamespace(bundle=bundle)


OLD, NEW = model(1), model(2)


def standing(log, customer, at, champion):
    """What would have been said at an instant, with what was in the log then."""
    timeline = Timeline.from_arrow(log)
    code = np.flatnonzero(timeline.customer_ids == customer).astype(np.int32)
    rows = build_features(timeline, CATALOGUE, code, np.array([to_us(at)]))
    (margin,) = champion.bundle.model.margins(rows.values)
    document = {"risk": 0.5, "horizon_days": 90, "model": "1"}
    return Standing(customer, at, "medium", float(margin), champion.bundle.digest, document)


minutes = st.integers(0, 90 * 24 * 60).map(lambda number: START + timedelta(minutes=number))
event = st.fixed_dictionaries(
    {
        "customer_id": st.sampled_from(["C1", "C2"]),
        "event": st.sampled_from(["order_completed", "signed_in"]),
        "occurred_at": minutes,
        "delay": st.sampled_from([0, 0, 0, 1, 20 * 24 * 60, 80 * 24 * 60]),
        "value": st.integers(1, 500).map(float),
    }
)
first = [
    {"customer_id": name, "occurred_at": START - DAY, "event": "order_completed", "delay": 0}
    for name in ("C1", "C2")
]


def logs(rows):
    """Return the log as it was at THEN and as it is NOW."""
    rows = [
        row | {"event_id": f"e{n:02}", "received_at": row["occurred_at"] + timedelta(minutes=delay)}
        for n, row in enumerate(rows)
        for delay in [row["delay"]]
    ]
    plain = [{name: row[name] for name in row if name != "delay"} for row in rows]
    then = [row for row in plain if row["received_at"] < THEN]
    return build_events(then), build_events(plain)


def split(rows, champion=OLD, customers=("C1", "C2")):
    then, now = logs([*first, *rows])
    pairs = [
        (standing(then, name, THEN, OLD), standing(now, name, NOW, champion)) for name in customers
    ]
    return pairs, split_moves(pairs, now, model=champion, model_of={"sha256:1": OLD}.get)


def parts(change):
    return (change.behaviour, change.time_passing, change.late_data, change.model_change)


@CHECKS
@given(rows=st.lists(event, max_size=12), champion=st.sampled_from([OLD, NEW]))
def test_the_parts_add_up_exactly_in_any_order(rows, champion):
    pairs, changes = split(rows, champion)
    for (before, after), change in zip(pairs, changes, strict=True):
        ends = on_grid(np.array([before.margin, after.margin]))
        assert [change.from_margin, change.to_margin] == ends.tolist()
        assert adds_up(change)
        move = change.to_margin - change.from_margin
        assert math.fsum(parts(change)) == move
        for order in permutations(parts(change)):
            assert sum(order) == move
            assert change.from_margin + sum(order) == change.to_margin
        assert abs(change.to_margin - after.margin) <= 2.0**-41


@CHECKS
@given(rows=st.lists(event, max_size=12), champion=st.sampled_from([OLD, NEW]))
def test_each_part_is_nothing_where_its_cause_is_not_there(rows, champion):
    _, changes = split(rows, champion)
    for change in changes:
        mine = [row for row in rows if row["customer_id"] == change.customer_id]
        delays = [timedelta(minutes=row["delay"]) for row in mine]
        occurrences = [row["occurred_at"] for row in mine]
        told = [(at, at + delay) for at, delay in zip(occurrences, delays, strict=True)]
        if champion is OLD:
            assert change.model_change == 0
        if not any(THEN <= occurred < NOW for occurred, _ in told):
            assert change.behaviour == 0
        if not any(occurred < THEN <= received < NOW for occurred, received in told):
            assert change.late_data == 0


@CHECKS
@given(rows=st.lists(event, max_size=12))
def test_nobody_elses_events_move_a_customer(rows):
    """A customer's split has the same bits alone and among others."""
    _, together = split(rows, NEW)
    mine = [row for row in rows if row["customer_id"] == "C1"]
    _, (alone,) = split(mine, NEW, customers=("C1",))
    assert alone == together[0]


def test_an_order_is_behaviour_and_silence_is_time():
    order = {"customer_id": "C1", "event": "order_completed", "delay": 0, "value": 5.0}
    _, (one, other) = split([order | {"occurred_at": NOW - DAY}])
    assert one.behaviour != 0
    assert other.behaviour == 0
    assert other.time_passing == other.to_margin - other.from_margin != 0


def test_what_came_in_with_an_old_date_is_late_data():
    """A file read later says it was received then; what was told at the time did not know it."""
    then, _ = logs(first)
    backdated = [{"customer_id": "C1", "occurred_at": THEN - DAY, "delay": 0, "event": "signed_in"}]
    order = backdated[0] | {"event": "order_completed", "value": 9.0}
    _, now = logs([*first, *backdated, order])
    pair = standing(then, "C1", THEN, OLD), standing(now, "C1", NOW, OLD)
    (change,) = split_moves([pair], now, model=OLD, model_of={}.get)
    assert change.late_data != 0
    assert change.behaviour == change.model_change == 0
    assert adds_up(change)


def test_where_the_earlier_model_is_gone_the_parts_still_add_up():
    then, now = logs(first)
    pair = standing(then, "C1", THEN, OLD), standing(now, "C1", NOW, NEW)
    (change,) = split_moves([pair], now, model=NEW, model_of={}.get)
    assert change.document["by"] == "new"
    assert change.model_change != 0
    assert adds_up(change)


def test_a_customer_whose_events_are_gone_is_split_all_the_same():
    """After an erasure or a merge nothing may be there any more of what was scored."""
    then, now = logs(first)
    pair = standing(then, "C1", THEN, OLD), standing(now, "C1", NOW, OLD)
    (change,) = split_moves([pair], now.slice(0, 0), model=OLD, model_of={}.get)
    assert math.fsum(parts(change)) == change.to_margin - change.from_margin
    assert from_us(to_us(change.to_at)) == NOW
