"""The tests of a leakage check: each builds the rows again from a log that was tampered with."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from churnguard.clock import DAY_US, from_us, iso, local_day, midnight, not_in_future, to_us
from churnguard.errors import NotEnoughHistory
from churnguard.events.timeline import Timeline
from churnguard.features.build import FeatureRows
from churnguard.features.catalogue import Catalogue
from churnguard.features.coverage import carried_by
from churnguard.features.planting import Planted, plant
from churnguard.features.population import Population
from churnguard.jobs.leakage_report import Outcome
from churnguard.jobs.leakage_sample import Sample, lot
from churnguard.jobs.ports import EventStore, Shop
from churnguard.labels import Label, label_named
from churnguard.project.layout import Layout
from churnguard.project.loader import load_catalogue

Codes = NDArray[np.int32]
Ints = NDArray[np.int64]

CUTOFFS = 4
ALONE = 100
"""Customers whose rows are built one by one, and whose events go through a store again."""

BUSIEST = 5
"""So many of them are those with the most events."""

_ORDER = "order_completed"


class Build(Protocol):
    """Builds rows, as :func:`churnguard.features.build.build_features` does."""

    def __call__(
        self,
        timeline: Timeline,
        catalogue: Catalogue,
        customers: Codes,
        cutoffs: Ints,
        *,
        population: Population | None = None,
    ) -> FeatureRows:
        """Return one row for each customer and cutoff."""


class Fit(Protocol):
    """Fits the population, as :func:`churnguard.features.population.fit_population` does."""

    def __call__(
        self, timelines: Sequence[Timeline], cutoffs: Sequence[int], *, timezone: str
    ) -> Population:
        """Return what rows at some cutoffs use."""


@dataclass(frozen=True)
class Trial:
    """The rows as first built, and everything needed to build them again."""

    events: pa.Table
    catalogue: Catalogue
    left_out: dict[str, str]
    population: Population
    first: FeatureRows
    look_back_days: int
    label: Label
    timezone: str
    build: Build
    fit: Fit

    @classmethod
    def of(
        cls,
        shop: Shop,
        sample: Sample,
        cutoffs: Sequence[datetime],
        catalogue: Catalogue | None,
        *,
        build: Build,
        fit: Fit,
    ) -> Trial:
        """Build the rows for the first time.

        Raises
        ------
        NotEnoughHistory
            If nobody is eligible at any cutoff.
        InvalidRequest
            If a cutoff lies in the future.
        """
        settings, timeline = shop.settings, Timeline.from_arrow(sample.events)
        instants = _instants(shop, sample, cutoffs)
        whole = catalogue or load_catalogue(Layout(shop.root))
        carried, left_out = carried_by(whole, [timeline])
        label = label_named(settings.label)
        found = [label.eligible(timeline, at, settings.look_back_days) for at in instants]
        if not any(map(len, found)):
            raise NotEnoughHistory(
                f"At no cutoff are there {label.who.format(days=settings.look_back_days)}: there "
                "is no row to check.",
                hint="Choose another --cutoff, or ingest the events that are missing.",
            )
        at = np.repeat(np.array(instants, np.int64), [len(codes) for codes in found])
        population = fit([timeline], instants, timezone=settings.timezone)
        first = build(timeline, carried, np.concatenate(found), at, population=population)
        return cls(
            events=sample.events,
            catalogue=carried,
            left_out=left_out,
            population=population,
            first=first,
            look_back_days=settings.look_back_days,
            label=label,
            timezone=settings.timezone,
            build=build,
            fit=fit,
        )

    @property
    def cutoffs(self) -> list[int]:
        """The cutoffs that have rows, oldest first."""
        return [int(at) for at in np.unique(self.first.cutoffs)]

    def told_cutoffs(self) -> tuple[dict[str, object], ...]:
        """Return each cutoff with its rows and the population that they use."""
        return tuple(
            {
                "cutoff": iso(from_us(at)),
                "rows": int((self.first.cutoffs == at).sum()),
                "population": self.population.name_at(at),
            }
            for at in self.cutoffs
        )

    def tests(
        self, shop: Shop, scratch: Callable[[Path], EventStore]
    ) -> Iterator[tuple[str, Callable[[], Outcome]]]:
        """Yield each test with its name."""
        yield "late events", lambda: self.planted("late")
        yield "future events", lambda: self.planted("future")
        yield "shuffled", self.shuffled
        yield "duplicates", lambda: self.doubled(scratch)
        yield "one customer alone", lambda: self.alone(shop)
        yield "population", self.refitted

    # -- the tests ------------------------------------------------------------------------------

    def planted(self, what: Planted) -> Outcome:
        """Add events that no row may see, cutoff by cutoff."""
        told = {
            "late": "Events were added that occurred before the cutoff and were received at it or "
            "after; rows and eligibility were built again.",
            "future": "Events were added that occurred at the cutoff or after, some of them "
            "announced before it; rows and eligibility were built again.",
        }[what]
        outcome = Outcome(f"{what} events", told, 0, 0, 0, 0)
        for at in self.cutoffs:
            rows = np.flatnonzero(self.first.cutoffs == at)
            more = plant(
                self.events, self.first.customer_ids[rows].tolist(), at, what=what, seed=at
            )
            timeline = Timeline.from_arrow(pa.concat_tables([self.events, more]))
            outcome = _added(outcome, self.compared(timeline, rows), events=more.num_rows)
            outcome = _added(outcome, self._eligible_again(timeline, at, rows))
        return outcome

    def shuffled(self) -> Outcome:
        """Bring the rows of the log and the rows asked for into another order."""
        chance = np.random.default_rng(0)
        timeline = Timeline.from_arrow(
            self.events.take(pa.array(chance.permutation(len(self.events))))
        )
        told = "All events and all rows asked for were put into another order."
        found = self.compared(timeline, chance.permutation(len(self.first)))
        return replace(found, name="shuffled", what=told, events=len(self.events))

    def doubled(self, scratch: Callable[[Path], EventStore]) -> Outcome:
        """Bring events in twice through an event store, as a shop does by mistake."""
        told = (
            "The events of some customers were brought into an empty store in another order, and a "
            "third of them again: the store must drop these, and the rows must be the same."
        )
        chance, rows = np.random.default_rng(1), self._of_some()
        chosen = pa.array(np.unique(self.first.customer_ids[rows].astype(str)), pa.string())
        own = self.events.filter(pc.is_in(self.events["customer_id"], value_set=chosen))
        own = own.take(pa.array(chance.permutation(len(own))))
        again = own.take(pa.array(chance.permutation(len(own))[: len(own) // 3 + 1]))
        with tempfile.TemporaryDirectory() as folder:
            store = scratch(Path(folder))
            once, twice = store.append(own), store.append(again)
            found = self.compared(Timeline.from_arrow(store.history()), rows)
        wrong = abs(once.accepted - len(own)) + twice.accepted + twice.conflicts
        outcome = replace(found, name="duplicates", what=told, events=len(again))
        if wrong and not found.different:
            example = f"{wrong:,} events were not dropped although they were known."
            return replace(outcome, different=wrong, example=example)
        return outcome

    def alone(self, shop: Shop) -> Outcome:
        """Build the rows of some customers one by one from the store, as a request does."""
        told = (
            "Rows of single customers were built from their own events alone, read from the store "
            "as a request reads them, and compared with the rows built for everybody."
        )
        outcome, rows = Outcome("one customer alone", told, 0, 0, 0, 0), self._of_some()
        for customer in np.unique(self.first.customer_ids[rows].astype(str)).tolist():
            own = shop.events.events_of([customer])
            mine = rows[self.first.customer_ids[rows] == customer]
            found = self.compared(Timeline.from_arrow(own), mine)
            outcome = _added(outcome, found, events=own.num_rows)
        return outcome

    def refitted(self) -> Outcome:
        """Fit the population again from what was known at its grid point, and with more planted."""
        told = (
            "Each row used a population fitted at or before its cutoff. It was fitted again from "
            "only what was known at that instant, and from a log with late and future orders added."
        )
        outcome = Outcome("population", told, 0, 0, 0, 0)
        for at in self.cutoffs:
            place = int(self.population.at(np.array([at]))[0])
            rows = int((self.first.cutoffs == at).sum())
            outcome = replace(outcome, rows=outcome.rows + rows)
            if place < 0:
                continue
            fitted, used = int(self.population.fitted_at[place]), self.population.parameters[place]
            outcome = _added(outcome, self._fitted_no_later(at, fitted))
            for name, log in self._logs_at(fitted):
                again = self.fit([Timeline.from_arrow(log)], [at], timezone=self.timezone)
                known = again.parameters[again.at(np.array([at]))[0]]
                different = int((~_same_bits(used, known)).sum())
                example = (
                    f"the population of {self.population.names[place]} has other parameters when "
                    f"fitted {name}."
                    if different
                    else None
                )
                outcome = replace(
                    outcome,
                    cells=outcome.cells + len(used),
                    events=outcome.events + log.num_rows,
                    different=outcome.different + different,
                    example=outcome.example or example,
                )
        return outcome

    def unmoved(self) -> tuple[str, ...]:
        """Return the signals that do not change even if the planted events arrive in time."""
        at = self.cutoffs[-1]
        rows = np.flatnonzero(self.first.cutoffs == at)
        more = plant(self.events, self.first.customer_ids[rows].tolist(), at, what="late", seed=at)
        place = more.schema.get_field_index("received_at")
        in_time = more.set_column(place, more.schema.field(place), more["occurred_at"])
        seen = self._built(Timeline.from_arrow(pa.concat_tables([self.events, in_time])), rows)
        moved = (~_same_bits(seen.values, self.first.values[rows])).any(axis=0)
        return tuple(np.array(self.first.names)[~moved].tolist())

    # -- building and comparing -------------------------------------------------------------------

    def compared(self, timeline: Timeline, rows: Ints) -> Outcome:
        """Build some rows from another timeline and compare them with the first ones."""
        built, first = self._built(timeline, rows), self.first.values[rows]
        differ = ~_same_bits(built.values, first)
        example = None
        if differ.any():
            row, column = (int(place[0]) for place in np.nonzero(differ))
            was, became = (float(values[row, column]) for values in (first, built.values))
            at = iso(from_us(int(built.cutoffs[row])))
            example = (
                f"'{built.names[column]}' of customer {built.customer_ids[row]} at {at} "
                f"was {was!r} and became {became!r}."
            )
        return Outcome("", "", len(rows), first.size, 0, int(differ.sum()), example)

    def _built(self, timeline: Timeline, rows: Ints) -> FeatureRows:
        codes = timeline.codes(self.first.customer_ids[rows].tolist())
        at = self.first.cutoffs[rows]
        return self.build(timeline, self.catalogue, codes, at, population=self.population)

    def _eligible_again(self, timeline: Timeline, at: int, rows: Ints) -> Outcome:
        """Compare who is eligible with who was."""
        codes = self.label.eligible(timeline, at, self.look_back_days)
        now, before = set(timeline.customer_ids[codes]), set(self.first.customer_ids[rows])
        changed = sorted(now ^ before)
        example = f"customer {changed[0]} changed in eligibility." if changed else None
        return Outcome("", "", 0, 0, 0, len(changed), example)

    def _fitted_no_later(self, at: int, fitted: int) -> Outcome:
        example = (
            f"a row at {iso(from_us(at))} uses a population of {iso(from_us(fitted))}."
            if fitted > at
            else None
        )
        return Outcome("", "", 0, 1, 0, int(fitted > at), example)

    def _logs_at(self, instant: int) -> Iterator[tuple[str, pa.Table]]:
        """Yield the log as known at an instant, and the whole one with orders planted around it."""
        known = from_us(instant)
        clocks = (pc.less(self.events[name], known) for name in ("occurred_at", "received_at"))
        yield "only from what was known then", self.events.filter(pc.and_(*clocks))
        ids = np.unique(self.first.customer_ids.astype(str)).tolist()
        planted = [
            plant(self.events, ids, instant, what=what, kinds=(_ORDER,), seed=instant)
            for what in ("late", "future")
        ]
        yield "with late and future orders added", pa.concat_tables([self.events, *planted])

    def _of_some(self) -> Ints:
        """Return the rows of some customers: those with the most events, and others by lot."""
        ids, counts = np.unique(
            self.events["customer_id"].to_numpy(zero_copy_only=False).astype(str),
            return_counts=True,
        )
        there = np.unique(self.first.customer_ids.astype(str))
        busy = [name for name in ids[np.argsort(-counts, kind="stable")] if name in set(there)]
        chosen = {*busy[:BUSIEST], *sorted(there.tolist(), key=lot)[: ALONE - BUSIEST]}
        return np.flatnonzero(np.isin(self.first.customer_ids.astype(str), sorted(chosen)))


def _instants(shop: Shop, sample: Sample, cutoffs: Sequence[datetime]) -> list[int]:
    """Return the cutoffs asked for, or some that suit the data, in microseconds UTC."""
    if cutoffs:
        return sorted({to_us(not_in_future(cutoff, shop.clock)) for cutoff in cutoffs})
    span = pc.min_max(sample.events["occurred_at"]).as_py()
    settings = shop.settings
    newest = local_day(span["max"], settings.timezone)
    step = settings.horizon_days * DAY_US
    end = to_us(midnight(newest, settings.timezone))
    days = [local_day(from_us(end - k * step), settings.timezone) for k in range(CUTOFFS)]
    found = {to_us(midnight(day, settings.timezone)) for day in days}
    return sorted(at for at in found if at > to_us(span["min"])) or [to_us(span["max"]) + 1]


def _added(outcome: Outcome, found: Outcome, *, events: int = 0) -> Outcome:
    return replace(
        outcome,
        rows=outcome.rows + found.rows,
        cells=outcome.cells + found.cells,
        events=outcome.events + found.events + events,
        different=outcome.different + found.different,
        example=outcome.example or found.example,
    )


def _same_bits(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = one.view(np.int64) == other.view(np.int64)
    return same | (np.isnan(one) & np.isnan(other))
