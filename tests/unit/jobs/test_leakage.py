"""The leakage check passes what is sound, and catches every kind of look-ahead put before it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from churnguard.clock import midnight, to_us
from churnguard.errors import InvalidRequest, NotEnoughHistory
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.features.build import FeatureRows, build_features
from churnguard.features.catalogue import Catalogue
from churnguard.features.population import (
    PARAMETERS,
    Population,
    fit_population,
    population_grid,
)
from churnguard.features.rows import Rows
from churnguard.features.signal import signal
from churnguard.features.tracks import Tracks
from churnguard.features.units import DAYS
from churnguard.jobs.leakage import check_leakage
from churnguard.jobs.leakage_report import LeakageReport
from churnguard.jobs.leakage_sample import events_digest, take_sample
from churnguard.jobs.ports import silent
from churnguard.jobs.write_verdict import write_verdict
from churnguard.testing import NOON, FakeEventStore, build_events, fake_shop, sample_shop

CATALOGUE = Catalogue.of(["orders", "rhythm", "lifetime"], windows=(90,))


@pytest.fixture(scope="module")
def shop():
    """A small shop; nothing is written to it."""
    return sample_shop(120)


def checked(shop, **how) -> LeakageReport:
    return check_leakage(
        shop, **({"scratch": lambda _: FakeEventStore(), "catalogue": CATALOGUE} | how)
    )


def unfitted(timelines, cutoffs, *, timezone):
    """Fit nothing, quickly, for tests that are not about the population."""
    del timelines
    instants = np.array(sorted({to_us(midnight(d, timezone)) for d in grid(cutoffs, timezone)}))
    names = tuple(str(at) for at in instants)
    return Population(instants, names, np.full((len(instants), len(PARAMETERS)), np.nan))


def grid(cutoffs, timezone):
    return population_grid(cutoffs, timezone=timezone)


def failed(report: LeakageReport) -> list[str]:
    return [outcome.name for outcome in report.outcomes if not outcome.passed]


@pytest.fixture(scope="module")
def sound(shop) -> LeakageReport:
    return checked(shop)


def test_a_sound_shop_passes(sound: LeakageReport):
    """Every test compares something, and nothing differs."""
    assert sound.passed
    assert failed(sound) == []
    assert all(outcome.rows and outcome.cells and outcome.events for outcome in sound.outcomes)
    assert sound.to_text().startswith("PASSED: no row knew anything from after its cutoff.")
    assert len(sound.cutoffs) == 4
    assert not any(name.startswith(("orders", "spend", "days")) for name in sound.unmoved)


def test_the_check_writes_nothing_to_the_shop(shop, sound: LeakageReport):
    del sound
    ids = shop.events.history()["event_id"].to_pylist()
    assert not [name for name in ids if name.startswith("planted")]


def test_a_signal_made_to_look_ahead_is_caught(shop):
    """It reads the event at the end of its window, which is the first one after the cutoff."""

    @signal(unit=DAYS, needs=("order_completed",), en="x", he="x")
    def days_to_next_order(rows):
        """Days to the next order."""
        seen = rows.events("order_completed")
        _, end = seen.bounds()
        occurred = np.append(seen._track.occurred, 0)
        return (occurred[end] - rows.cutoffs) / 86_400e6

    found = checked(
        shop, catalogue=Catalogue.of(["orders"], own=[days_to_next_order]), fit=unfitted
    )
    assert not found.passed
    assert "future events" in failed(found)
    future = next(outcome for outcome in found.outcomes if outcome.name == "future events")
    assert "'days_to_next_order' of customer" in future.example
    assert "FAILED" in found.to_text()


def test_a_late_event_let_through_is_caught(shop):
    """A build that only looks at when events occurred shows late ones to rows."""

    def blind(timeline, catalogue, customers, cutoffs, *, population=None):
        rows = Rows(Tracks(timeline), customers, cutoffs, population=population)
        values = np.column_stack([found.column(rows) for found in catalogue.signals])
        return FeatureRows(values, catalogue.names, timeline.customer_ids[customers], cutoffs)

    assert "late events" in failed(checked(shop, build=blind, fit=unfitted))


def test_a_population_fitted_too_late_is_caught(shop):
    """One that was fitted on everything, whatever date it says, differs when fitted again."""

    def late(timelines, cutoffs, *, timezone):
        honest = fit_population(timelines, cutoffs, timezone=timezone)
        newest = fit_population(timelines, [to_us(NOON)], timezone=timezone)
        known = np.repeat(newest.parameters[-1:], len(honest.names), axis=0)
        return Population(honest.fitted_at, honest.names, known)

    found = checked(shop, fit=late)
    assert failed(found) == ["population"]
    assert "has other parameters when fitted" in found.outcomes[-1].example


def test_rows_that_depend_on_other_rows_are_caught(shop):
    """A build that gives a customer other numbers alone than among others."""

    def crowded(timeline, catalogue, customers, cutoffs, *, population=None):
        built = build_features(timeline, catalogue, customers, cutoffs, population=population)
        return replace(built, values=built.values + (len(timeline.customer_ids) == 1))

    assert failed(checked(shop, build=crowded, fit=unfitted)) == ["one customer alone"]


def test_a_store_that_keeps_duplicates_is_caught(shop):
    class Doubling(FakeEventStore):
        def append(self, events, **how):
            known = len(self.history())
            renamed = [f"{name}-{known}" for name in events["event_id"].to_pylist()]
            return super().append(events.set_column(0, "event_id", pa.array(renamed)), **how)

    assert failed(checked(shop, scratch=lambda _: Doubling(), fit=unfitted)) == ["duplicates"]


def test_the_verdict_can_be_handed_on(sound: LeakageReport, tmp_path):
    """Digests, counts, each test and its limits, as a page and as JSON."""
    write_verdict(sound, tmp_path / "verdict.md")
    write_verdict(sound, tmp_path / "verdict.json")
    page = (tmp_path / "verdict.md").read_text(encoding="utf-8")
    told = json.loads((tmp_path / "verdict.json").read_text(encoding="utf-8"))
    assert told == sound.to_dict()
    assert told["passed"] is True
    for text in (sound.dataset, sound.catalogue, sound.code, *(o.name for o in sound.outcomes)):
        assert text in page
    with pytest.raises(InvalidRequest, match=r"neither \.md nor \.json"):
        write_verdict(sound, tmp_path / "verdict.doc")


def test_assumed_clocks_are_stated():
    """The proof says for which share of events it rests on an assumption."""
    rows = [
        {
            "event_id": f"{c}-{n}",
            "customer_id": f"C{c}",
            "occurred_at": NOON - timedelta(days=20 * n + c + 1),
            "clock": "assumed" if n % 2 else "true",
        }
        for c in range(6)
        for n in range(10)
    ]
    found = checked(fake_shop(events=build_events(rows)), fit=unfitted)
    assert found.sample.assumed_share == 0.5
    assert found.limits[0].startswith("50 % of the events have an assumed clock")


def test_a_large_shop_is_checked_on_a_stated_sample(shop):
    """The same customers each time, each with every event, and the verdict says so."""
    found = checked(shop, most_events=1_500, fit=unfitted)
    assert found.passed
    again = take_sample(shop, known_before=NOON, most_events=1_500, progress=silent)
    assert found.sample.events.equals(again.events)
    assert 0 < found.sample.customers < found.sample.customers_in_all == 120
    assert any(limit.startswith("A sample was checked") for limit in found.limits)
    whole = shop.events.history()
    kept = set(found.sample.events["customer_id"].to_pylist())
    all_of_them = [name for name in whole["customer_id"].to_pylist() if name in kept]
    assert found.sample.events.num_rows == len(all_of_them)


def test_the_digest_is_of_what_events_say(shop):
    """Not of their order or their chunks; one changed cent changes it."""
    sample = take_sample(shop, known_before=NOON, most_events=10**9, progress=silent).events
    shuffled = sample.take(pa.array(np.random.default_rng(3).permutation(len(sample))))
    assert events_digest(sample) == events_digest(shuffled)
    place = EVENT_SCHEMA.get_field_index("value")
    values = sample["value"].to_pylist()
    values[0] = 0.01
    changed = sample.set_column(place, EVENT_SCHEMA.field("value"), pa.array(values))
    assert events_digest(changed) != events_digest(sample)


def test_without_a_row_there_is_nothing_to_prove():
    """Nobody eligible is no pass; nor is an empty shop."""
    logins = [{"event": "signed_in", "event_id": f"e{n}", "value": None} for n in range(5)]
    with pytest.raises(NotEnoughHistory, match="there is no row to check"):
        checked(fake_shop(events=build_events(logins)))
    with pytest.raises(NotEnoughHistory, match="Nothing was known"):
        checked(fake_shop(events=build_events([])))
    with pytest.raises(InvalidRequest, match="in the future"):
        checked(sample_shop(20), cutoffs=[datetime(2030, 1, 1, tzinfo=UTC)])
