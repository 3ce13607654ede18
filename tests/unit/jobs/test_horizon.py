"""The advisor finds the rates of shops whose truth is known, and abstains on thin data."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

import churnguard
from churnguard.clock import DAY_US, to_us
from churnguard.errors import InvalidRequest, NotEnoughHistory
from churnguard.events.simulation import SimulationPlan, simulate
from churnguard.events.timeline import Timeline
from churnguard.jobs.horizon import compare, horizon
from churnguard.jobs.ingest import ingest
from churnguard.jobs.simulate import simulate_to
from churnguard.labels.silence import silences
from churnguard.project.template import create_project

RATE, LEAVES = 1 / 25, 0.2
"""Orders a day while a customer stays; the share that leaves for good after an order."""


def returned_by_truth(window, follow_up):
    """P(an order within ``follow_up`` days | silent for ``window`` days), by Bayes."""
    silent = (1 - LEAVES) * math.exp(-RATE * window)
    return silent * (1 - math.exp(-RATE * follow_up)) / (silent + LEAVES)


def timeline_of(orders):
    """Build a timeline from (customer number, microseconds)."""
    customers, instants = orders
    at = pa.array(instants, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    return Timeline.from_arrow(
        pa.table(
            {
                "event_id": pa.array([f"e{place}" for place in range(len(instants))], pa.string()),
                "customer_id": pa.array([f"c{number:05}" for number in customers], pa.string()),
                "event": pa.array(["order_completed"] * len(instants), pa.string()),
                "occurred_at": at,
                "received_at": at,
            }
        )
    )


def known_hazards(*, customers=6000, days=900, seed=3, rate=RATE, leaves=LEAVES):
    """Return the orders of a shop with a constant rate and a constant chance to leave."""
    random = np.random.default_rng(seed)
    who, when = [], []
    for number in range(customers):
        at = random.uniform(0, days)
        while at < days:
            who.append(number)
            when.append(int(at * DAY_US))
            if random.random() < leaves:
                break
            at += 1 + random.exponential(1 / rate)  # a visit lasts a day
    return who, when


@pytest.fixture(scope="module")
def known():
    found = silences([timeline_of(known_hazards())], 900 * DAY_US)
    return compare(found, end_us=900 * DAY_US, accepted=0.25)


def test_false_churn_rates_are_those_of_the_hazards(known):
    """With a known order rate and chance to leave, every window's share is within 2.5 points."""
    for choice in known.choices:
        if choice.window_days in (30, 45, 60, 90, 120):
            truth = returned_by_truth(choice.window_days - 1, 365)
            assert choice.returned == pytest.approx(truth, abs=0.025), choice.code


def test_the_recommendation_is_the_shortest_window_that_the_hazards_allow(known):
    """Truth: 45 days 41 %, 60 days 27 %, 90 days 10 %; a quarter is accepted."""
    shares = {days: returned_by_truth(days - 1, 365) for days in (45, 60, 90)}
    assert shares[60] > 0.25 > shares[90]
    assert known.recommended.window_days == 90
    assert known.reasons[0].startswith("Recommended: 90 days; of those it would have called lost,")


def test_a_censored_history_tells_what_then_happened():
    """On the simulator: shares from two years agree within 4 points with the three that follow.

    The first two years know of each silence only what had happened by then; the later years tell
    how many of the same silences ended within 180 days.
    """
    plan = SimulationPlan(
        customers=2000, days=1460, pace=1.5, leaving=0.6, seed=11, season_strength=0.0
    )
    timeline = Timeline.from_arrow(simulate(plan).events)
    end = to_us(plan.end)
    middle = end - 730 * DAY_US
    told = compare(silences([timeline], middle), end_us=middle, follow_up_days=180)
    whole = silences([timeline], end)
    for choice in told.choices[:6]:
        limit = choice.window_days
        lost = (whole.began + limit * DAY_US <= middle) & (whole.days >= limit)
        came_back = whole.ended & (whole.days - limit <= 180)
        assert choice.times_lost == lost.sum()
        assert choice.returned == pytest.approx(came_back[lost].mean(), abs=0.04), choice.code


def test_more_patience_means_fewer_wrongly_lost(known):
    """Longer windows, and more times the own gap: fewer come back, fewer are called lost."""
    windows = [c for c in known.choices if c.window_days]
    rhythms = [c for c in known.choices if c.code in ("rhythm_2x", "rhythm_3x", "rhythm_4x")]
    for group in (windows, rhythms):
        assert [c.times_lost for c in group] == sorted((c.times_lost for c in group), reverse=True)
        assert [c.lost_now for c in group] == sorted((c.lost_now for c in group), reverse=True)


def test_thin_data_get_no_recommendation_and_a_reason():
    """A short history cannot tell who comes back within a year."""
    who, when = known_hazards(customers=300, days=200)
    report = compare(silences([timeline_of((who, when))], 200 * DAY_US), end_us=200 * DAY_US)
    assert report.recommended is None
    assert report.quicker is None
    assert "No recommendation" in report.reasons[0]
    assert "365 days" in report.reasons[0]
    thirty = report.choices[0]
    assert thirty.returned_within_days < 365
    assert not thirty.enough


def test_a_shop_where_people_return_late_is_told_so(known):
    """Nothing is accepted: the surest window is named, with its share."""
    slow = known_hazards(customers=1500, days=1200, rate=1 / 300, leaves=0.05)
    report = compare(silences([timeline_of(slow)], 1200 * DAY_US), end_us=1200 * DAY_US)
    assert report.recommended is None
    assert "of those silent for 365 days it was" in report.reasons[0]
    assert "People return late" in report.reasons[0]


def test_a_shop_without_orders_is_told_so():
    """No silence, no error."""
    report = compare(silences([timeline_of(([], []))], 0), end_us=0)
    assert report.recommended is None
    assert {choice.times_lost for choice in report.choices} == {0}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with a simulated shop, a year and a half of it."""
    root = tmp_path_factory.mktemp("horizon") / "shop"
    create_project(root)
    shop = churnguard.open_shop(root, clock=lambda: datetime(2026, 11, 1, tzinfo=UTC), environ={})
    events = root / "events.parquet"
    simulate_to(events, SimulationPlan(customers=400, days=540, pace=1.5))
    ingest(shop, [events])
    return shop


def test_the_labels_of_each_window_are_told(project):
    """The newest usable label is as old as the window; shorter windows churn more."""
    report = horizon(project, follow_up_days=90)
    windows = [c for c in report.choices if c.window_days]
    end = to_us(datetime(2026, 11, 1, tzinfo=UTC))
    for choice in windows:
        assert end - to_us(choice.newest_label) == choice.window_days * DAY_US
        assert choice.label_age_days == choice.window_days
        assert 0 < choice.churned <= choice.eligible
    assert windows[0].churned / windows[0].eligible > windows[3].churned / windows[3].eligible
    assert report.horizon_days == 90
    assert "The project says 90 days now" in " ".join(report.reasons) or (
        report.recommended.window_days == 90
    )


def test_the_plot_stands_alone(project, tmp_path):
    """SVG, PNG and JSON; no script, no address but the SVG's own vocabularies; same bytes again."""
    report = horizon(project, follow_up_days=90, out=tmp_path / "one")
    again = horizon(project, follow_up_days=90, out=tmp_path / "two")
    drawn = (tmp_path / "one" / "horizon.svg").read_text(encoding="utf-8")
    assert "<script" not in drawn
    assert 'href="http' not in drawn
    assert drawn == (tmp_path / "two" / "horizon.svg").read_text(encoding="utf-8")
    assert (tmp_path / "one" / "horizon.png").read_bytes().startswith(b"\x89PNG")
    told = json.loads((tmp_path / "one" / "horizon.json").read_text(encoding="utf-8"))
    assert told["choices"] == json.loads(json.dumps(report.to_dict()["choices"]))
    assert again.files["svg"].endswith("horizon.svg")


@pytest.mark.parametrize("asked", [{"accepted": 0.0}, {"accepted": 1.0}, {"follow_up_days": 0}])
def test_what_cannot_be_used_is_refused(project, asked):
    """Before anything is read."""
    with pytest.raises(InvalidRequest):
        horizon(project, **asked)


def test_out_may_not_be_a_file(project, tmp_path):
    """A folder is asked for."""
    (tmp_path / "taken").write_text("x", encoding="utf-8")
    with pytest.raises(InvalidRequest, match="is a file"):
        horizon(project, out=tmp_path / "taken")


def test_an_empty_project_is_told_what_to_do(tmp_path):
    """Without events there is nothing to compare."""
    create_project(tmp_path / "shop")
    with pytest.raises(NotEnoughHistory):
        horizon(churnguard.open_shop(tmp_path / "shop", environ={}))


def test_a_window_that_was_not_watched_for_long_enough_is_told_as_that():
    """It looks right in the table, so the sentence says why it is not recommended."""
    slow = known_hazards(customers=3000, days=600, rate=1 / 90, leaves=0.15)
    report = compare(silences([timeline_of(slow)], 600 * DAY_US), end_us=600 * DAY_US)
    assert report.recommended is None
    hoped = next(c for c in report.choices if c.window_days and (c.returned or 1) <= 0.25)
    assert not hoped.enough
    words = f"After {hoped.text} it may be so, but those could be watched for "
    assert words + f"{hoped.returned_within_days} days only." in report.reasons[0]
