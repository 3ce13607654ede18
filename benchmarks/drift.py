"""How often the watch cries wolf, and how soon it sees what is broken.

    python benchmarks/drift.py [--sizes 300 1500] [--shops 4] [--json]

Simulated shops with a season and nothing the matter are watched for a year of weeks each, so that
four shops make 208 quiet weeks a size; then the same weeks with something broken. Beside it stands
what one reference alone would have said, and what bare p-values would have.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import stats

from churnguard.clock import DAY_US, from_us, to_us
from churnguard.events.simulation import SimulationPlan, simulate
from churnguard.events.timeline import Timeline
from churnguard.features.catalogue import Catalogue
from churnguard.features.population import Population, fit_population
from churnguard.jobs.delivery_look import Deliveries, kinds_read
from churnguard.jobs.drift_look import GROWING, LEARNED, SEASON, Look, Shown, plan_look
from churnguard.jobs.snapshots import snapshot_rows
from churnguard.labels import ORDER_GAP, label_named
from churnguard.labels.order_gap import mature
from churnguard.training.dataset import Dataset
from churnguard.training.deliveries import Delivery
from churnguard.training.drift import Drift, kolmogorov_smirnov
from churnguard.training.fit import fit
from churnguard.training.model import TrainedModel
from churnguard.training.recipe import Recipe

Floats = NDArray[np.float64]
END = datetime(2026, 11, 1, tzinfo=UTC)
DAYS, WEEKS, HORIZON, LOOK_BACK = 1_130, 52, 90, 365
QUICK = Recipe.from_dict(
    {"boosted": {"trees": 60, "seeds": 1, "min_rows": 40}, "calibration": {"time_blocks": 2}}
)


@dataclass(frozen=True)
class Seen:
    """What the watch looks at in one week: signals, and what came of each kind of event."""

    rows: Floats
    came: Deliveries


@dataclass(frozen=True)
class Watched:
    """A shop, its champion and the rows of every cutoff that a year of looks needs."""

    events: pa.Table
    catalogue: Catalogue
    population: Population
    model: TrainedModel
    learned_through: int
    rows: dict[int, Floats]
    names: tuple[str, ...]
    shown: Shown
    came: Deliveries

    def look(self, as_of: int) -> Look:
        """Return which cutoffs a week is held against."""
        return plan_look(
            as_of,
            history_from_us=to_us(END) - DAYS * DAY_US,
            learned_through_us=self.learned_through,
        )


def main() -> int:
    """Watch, break, and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--sizes", type=int, nargs="+", default=[300, 1_500])
    asked.add_argument("--shops", type=int, default=4)
    asked.add_argument("--json", action="store_true")
    args = asked.parse_args()
    began, cpu = time.perf_counter(), time.process_time()
    found = [measure(size, args.shops) for size in args.sizes]
    answer = {
        "sizes": found,
        "seconds": round(time.perf_counter() - began, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
    }
    print(json.dumps(answer, indent=1) if args.json else to_text(answer))
    return 0


def measure(customers: int, shops: int) -> dict[str, Any]:
    """Watch several quiet shops of one size, then break them."""
    quiet: dict[str, int] = {}
    seen: dict[str, list[float]] = {}
    names: dict[str, int] = {}
    looked = weeks = 0
    for seed in range(shops):
        shop = prepare(customers, seed=100 + seed)
        for as_of in watch_days():
            weeks += 1
            looked += len(shop.rows[as_of])
            for how, alarm in say(shop, as_of, names).items():
                quiet[how] = quiet.get(how, 0) + alarm
        for name, broken in BREAKS.items():
            days = watch_days()[6::13]
            hits = [alarms(shop, day, broken(shop, day)) for day in days]
            seen.setdefault(name, []).extend(hits)
    return {
        "customers": customers,
        "customers_looked_at": round(looked / weeks),
        "quiet_weeks": weeks,
        "false_alarms": quiet,
        "falsely_named": dict(sorted(names.items(), key=lambda item: -item[1])[:8]),
        "seen_when_broken": {name: round(float(np.mean(hits)), 3) for name, hits in seen.items()},
    }


def watch_days() -> list[int]:
    """Return the last year of weeks, oldest first."""
    return [to_us(END) - 7 * DAY_US * week for week in range(WEEKS)][::-1]


def prepare(customers: int, *, seed: int) -> Watched:
    """Simulate a shop and train its champion at the beginning of the year that is watched."""
    plan = SimulationPlan(
        customers=customers,
        days=DAYS,
        seed=seed,
        end=END,
        pace=1.3,
        leaving=0.6,
        truth_every_days=400,
    )
    events = simulate(plan).events
    timeline = Timeline.from_arrow(events)
    catalogue, _ = Catalogue.of(windows=(30, 90, 180, 365)).available(timeline.counts)
    trained = watch_days()[0] - 7 * DAY_US
    newest = trained - HORIZON * DAY_US
    learn = [newest - 30 * DAY_US * place for place in range(6)]
    last_year = {day - 364 * DAY_US + 7 * DAY_US * k for day in watch_days() for k in (-2, 0, 2)}
    cutoffs = sorted({*watch_days(), *last_year, *learn})
    population = fit_population([timeline], [min(cutoffs), *learn], timezone="UTC", stored=None)
    rows, churned = snapshot_rows(
        timeline,
        catalogue,
        cutoffs,
        population=population,
        horizon_days=HORIZON,
        look_back_days=LOOK_BACK,
    )
    known = np.isin(rows.cutoffs, learn) & mature(rows.cutoffs, HORIZON, trained)
    dataset = Dataset(
        rows.values,
        rows.names,
        churned.astype(np.int8),
        rows.customer_ids.astype(str),
        rows.cutoffs,
        HORIZON,
    )
    model = fit(dataset.take(known), QUICK, until_us=trained)
    at = {cutoff: rows.values[rows.cutoffs == cutoff] for cutoff in cutoffs}
    signals = Recipe().signals
    told_time = {*signals.season, *signals.calendar, *GROWING}
    return Watched(
        events,
        catalogue,
        population,
        model,
        learned_through=newest,
        rows=at,
        names=rows.names,
        shown=Shown(at.__getitem__, rows.names, model.risks, told_time),
        came=deliveries(timeline),
    )


def deliveries(timeline: Timeline) -> Deliveries:
    """Return what came of each kind of event."""
    return Deliveries([timeline], label_named(ORDER_GAP), look_back_days=LOOK_BACK)


def say(shop: Watched, as_of: int, names: dict[str, int]) -> dict[str, bool]:
    """Return what each way of watching says of a quiet week; count which signals it names."""
    found = compare(shop, as_of, Seen(shop.rows[as_of], shop.came))
    wrong = [one.name for one in found if one.drifted]
    for name in wrong:
        names[name] = names.get(name, 0) + 1
    return {
        "churnguard": bool(wrong),
        "last season only": any(one.against[SEASON].drifted for one in found),
        "training period only": any(one.against[LEARNED].drifted for one in found),
        "bare p-values": by_p_values(shop, as_of, shop.rows[as_of]),
    }


def compare(shop: Watched, as_of: int, seen: Seen) -> tuple[Drift | Delivery, ...]:
    """Compare one week as the command does."""
    look = shop.look(as_of)
    signals = shop.shown.compare(look, shop.shown.of([seen.rows]))
    return (*signals, *seen.came.compare(look, kinds_read(shop.catalogue)))


def alarms(shop: Watched, as_of: int, seen: Seen) -> bool:
    """Tell whether a week raises an alarm."""
    return any(one.drifted for one in compare(shop, as_of, seen))


def by_p_values(shop: Watched, as_of: int, current: Floats) -> bool:
    """Tell whether any signal's Kolmogorov-Smirnov p-value is under 1 % by Bonferroni.

    That is: whether its distance passes the limit law's quantile, as ``scipy.stats.ks_2samp`` with
    ``method="asymp"`` has it.
    """
    day = shop.look(as_of).references[SEASON][1]
    sides = shop.shown.of([shop.rows[day]]), shop.shown.of([current])
    for before, now in zip(*(side.columns[:-1] for side in sides), strict=True):
        sizes = len(before.values), len(now.values)
        if min(sizes) >= 30:
            limit = furthest(round(sizes[0] * sizes[1] / sum(sizes)), 0.01 / len(shop.names))
            if kolmogorov_smirnov(before.values, now.values) > limit:
                return True
    return False


@cache
def furthest(rows: int, chance: float) -> float:
    """Return the Kolmogorov-Smirnov distance that so many rows pass with a chance."""
    return float(stats.kstwo.isf(chance, rows))


def cents(shop: Watched, as_of: int) -> Seen:
    """Money arrives in cents."""
    X = shop.rows[as_of].copy()
    for place, name in enumerate(shop.names):
        if name.startswith(("spend_", "net_spend_")):
            X[:, place] *= 100
    return Seen(X, shop.came)


def a_third_missing(shop: Watched, as_of: int) -> Seen:
    """Days since the last sign-in are missing for a third of the customers."""
    X = shop.rows[as_of].copy()
    gone = np.random.default_rng(as_of // DAY_US).random(len(X)) < 0.33
    X[gone, shop.names.index("days_since_login")] = np.nan
    return Seen(X, shop.came)


def no_sign_ins(days: int, *, share: float = 1.0) -> Callable[[Watched, int], Seen]:
    """Lose a share of the sign-ins of so many days; signals are built anew without them."""

    def broken(shop: Watched, as_of: int) -> Seen:
        start = pa.scalar(from_us(as_of - days * DAY_US), pa.timestamp("us", tz="UTC"))
        events = shop.events
        late = pc.greater_equal(events["occurred_at"], start)
        drawn = pa.array(np.random.default_rng(as_of // DAY_US).random(len(events)) < share)
        sign_in = pc.equal(events["event"].cast(pa.string()), "signed_in")
        lost = pc.and_(pc.and_(late, sign_in), drawn)
        timeline = Timeline.from_arrow(events.filter(pc.invert(lost)))
        rows, _ = snapshot_rows(
            timeline,
            shop.catalogue,
            [as_of],
            population=shop.population,
            horizon_days=HORIZON,
            look_back_days=LOOK_BACK,
        )
        return Seen(rows.values, deliveries(timeline))

    return broken


BREAKS: dict[str, Callable[[Watched, int], Seen]] = {
    "money in cents": cents,
    "a third of days_since_login missing": a_third_missing,
    "no sign-ins for 7 days": no_sign_ins(7),
    "no sign-ins for 14 days": no_sign_ins(14),
    "no sign-ins for 28 days": no_sign_ins(28),
    "half of the sign-ins for 28 days": no_sign_ins(28, share=0.5),
    "half of the sign-ins for 90 days": no_sign_ins(90, share=0.5),
}


def to_text(answer: dict[str, Any]) -> str:
    """Return the figures for a person."""
    lines = []
    for size in answer["sizes"]:
        lines.append(f"{size['customers']} customers, {size['customers_looked_at']} looked at")
        weeks = size["quiet_weeks"]
        lines += [
            f"  {n:4d} alarms in {weeks} quiet weeks: {how}"
            for how, n in size["false_alarms"].items()
        ]
        lines += [
            f"  {share:4.0%} seen: {name}" for name, share in size["seen_when_broken"].items()
        ]
    return "\n".join([*lines, f"{answer['seconds']} s, {answer['cpu_seconds']} s of CPU"])


if __name__ == "__main__":
    sys.exit(main())
