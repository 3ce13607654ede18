"""The two clocks, primitive by primitive: what was late is not there, and then it is, exactly.

The slow truth is the same kernel over a log from which everything was taken out beforehand that the
row may not see, with what remains received in time.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from churnguard.events import timeline as timeline_module
from churnguard.events.timeline import Timeline
from churnguard.features.build import build_features
from churnguard.features.catalogue import Catalogue
from churnguard.features.rows import EventRows, Gaps, days_between
from churnguard.features.signal import signal
from churnguard.features.units import NUMBER

ORACLE = runpy.run_path(str(Path(__file__).with_name("feature_oracle.py")))
events, instants, table = (ORACLE[name] for name in ("events", "instants", "table"))
CHECKS = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
KINDS = ("order_completed", "signed_in", "survey_answered", "cart_abandoned")

PRIMITIVES = {
    "count": lambda e: e.count(30),
    "count_after": lambda e: e.count(after=e.last_at(nth=2)),
    "sum": lambda e: e.sum("value"),
    "mean": lambda e: e.mean("value", 90),
    "median": lambda e: e.median("value", skip_last=1),
    "trend": lambda e: e.trend("value"),
    "distinct": lambda e: e.distinct("product_id"),
    "streak": lambda e: e.streak("value", equals=0),
    "gaps_longest": lambda e: e.gaps().longest(),
    "gaps_count": lambda e: e.gaps().count(),
    "gaps_mean": lambda e: e.gaps().mean(),
    "gaps_sd": lambda e: e.gaps().sd(),
    "gaps_median": lambda e: e.gaps().median(),
    "gaps_spread": lambda e: e.gaps().spread(),
    "gaps_robust_z": lambda e: e.gaps().robust_z(e.since_last()),
    "last": lambda e: e.last("value"),
    "last_at": lambda e: days_between(e.last_at(), e.last_at(nth=2)),
    "first_at": lambda e: days_between(e.first_at(), e.first_at(nth=2)),
    "since_last": lambda e: e.since_last(nth=2),
    "since_first": lambda e: e.since_first(),
    "where": lambda e: e.where("kind", "nps").count(),
    "known": lambda e: e.known("value").last("value"),
    "first_of": lambda e: e.first_of("product_id").count(),
    "most_often": lambda e: e.most_often("product_id"),
    "visits": lambda e: e.visits().count(),
}
"""One use of each method of ``EventRows`` and ``Gaps``, and of windows given in each way."""

_LACKING = {("cart_abandoned", name) for name in ("distinct", "where", "first_of", "most_often")}
"""A derived cart has no words."""


def made(kind, name):
    def column(rows):
        return PRIMITIVES[name](rows.events(kind)).astype(np.float64)

    column.__name__ = f"{kind}_{name}"
    return signal(unit=NUMBER, needs=(kind,), en="x", he="x")(column)


CATALOGUE = Catalogue.of(
    ["calendar"],
    own=[made(kind, name) for kind in KINDS for name in PRIMITIVES if (kind, name) not in _LACKING],
)


def row_of(log, customer, at):
    """Return the row of a customer at a cutoff; None for one without events."""
    timeline = Timeline.from_arrow(table(log))
    code = np.flatnonzero(timeline.customer_ids == customer).astype(np.int32)
    if not len(code):
        return None
    return build_features(timeline, CATALOGUE, code, np.array([at])).values[0]


def known_by(log, at):
    """Return what may be seen at a cutoff, as if all of it had been received in time."""
    seen = [e for e in log if e["occurred_at"] < at and e["received_at"] < at]
    return [event | {"received_at": event["occurred_at"]} for event in seen]


STRANGER = dict.fromkeys(ORACLE["made"](Random(0), "a", ("x",), at=0, name=0)) | {
    "event_id": "stranger",
    "event": "product_reviewed",
    "occurred_at": 0,
    "received_at": 0,
}


def test_every_primitive_is_tried():
    """A new method of rows must be put on trial here."""
    public = {n for c in (EventRows, Gaps) for n in vars(c) if not n.startswith("_")} - {"bounds"}
    tried = {"gaps", *PRIMITIVES, *(name.removeprefix("gaps_") for name in PRIMITIVES)}
    assert public - tried == set()


@CHECKS
@given(log=events(customers=("a",)), at=instants)
def test_a_row_is_that_of_what_was_known(log, at):
    """Every primitive, bit for bit, at the cutoff: nothing late, nothing later, nothing lost."""
    log = [*log, STRANGER | {"customer_id": "a"}]
    row = row_of(log, "a", at)
    truth = row_of([*known_by(log, at), STRANGER | {"customer_id": "a"}], "a", at)
    differ = [n for n, x, y in zip(CATALOGUE.names, row, truth, strict=True) if not same(x, y)]
    assert differ == []


@CHECKS
@given(log=events(customers=("a",)), at=instants)
def test_what_was_late_is_there_at_the_next_cutoff(log, at):
    """A microsecond after the last late event was received it counts as if it had been on time."""
    late = [e for e in log if e["occurred_at"] < at <= e["received_at"]]
    following = max((event["received_at"] for event in late), default=at) + 1
    on_time = [e | {"received_at": e["occurred_at"]} if e in late else e for e in log]
    log, on_time = ([*some, STRANGER | {"customer_id": "a"}] for some in (log, on_time))
    assert same(row_of(log, "a", following), row_of(on_time, "a", following))
    without = [event for event in log if event not in late]
    assert same(row_of(log, "a", at), row_of(without, "a", at))


def same(one, other):
    return np.asarray(one).tobytes() == np.asarray(other).tobytes()


class Counted(np.ndarray):
    """An array that counts how many of its numbers are taken out of it."""

    taken = 0

    def __getitem__(self, key):
        found = super().__getitem__(key)
        Counted.taken += np.size(found)
        return np.asarray(found)


@pytest.mark.parametrize("others", [10, 1_000])
def test_late_rows_cost_what_their_customers_have(others):
    """What was known of three customers is found in their own events, however large the shop."""
    log = [
        STRANGER | {"event_id": f"{c}-{n}", "customer_id": f"c{c:05}", "occurred_at": n}
        for c in range(others)
        for n in range(7)
    ]
    track = Timeline.from_arrow(table(log)).track("product_reviewed")
    clocks = [clock.view(Counted) for clock in (track.occurred, track.received)]
    Counted.taken = 0
    find = getattr(timeline_module._known, "py_func", timeline_module._known)
    _, places = find(track.offsets, *clocks, np.array([1, 5, 9], np.int32), np.full(3, 4))
    assert len(places) == 3 * 4
    assert 3 * 4 <= Counted.taken <= 2 * 3 * 7
