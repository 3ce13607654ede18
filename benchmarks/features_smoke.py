"""How quick the feature engine is, roughly: many customers, and one customer.

``python benchmarks/features_smoke.py --events 1000000 --customers 20000 --cutoffs 12`` prints JSON.
Compilation (or reading compiled code from the cache) is timed apart.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import pyarrow as pa

from churnguard.clock import DAY_US
from churnguard.events.timeline import Timeline
from churnguard.features.build import build_features
from churnguard.features.catalogue import Catalogue
from churnguard.features.population import Population

EVENTS = {
    "order_completed": 0.10,
    "product_ordered": 0.25,
    "signed_in": 0.25,
    "product_viewed": 0.15,
    "product_added": 0.10,
    "products_searched": 0.05,
    "email_opened": 0.04,
    "order_refunded": 0.02,
    "support_ticket_opened": 0.02,
    "survey_answered": 0.02,
}
DAYS = 730


def made_up_events(events: int, customers: int, *, late: float, seed: int) -> pa.Table:
    """Return unsorted events with string ids; a share of them was received a day late."""
    random = np.random.default_rng(seed)
    occurred = random.integers(0, DAYS * 86_400, events) * 1_000_000
    delay = np.where(random.random(events) < late, DAY_US, 0)
    instant = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            "event_id": pa.array(np.arange(events)).cast(pa.string()),
            "customer_id": pa.array(random.integers(0, customers, events)).cast(pa.string()),
            "event": pa.array(
                random.choice(list(EVENTS), events, p=list(EVENTS.values()))
            ).dictionary_encode(),
            "occurred_at": pa.array(occurred).cast(instant),
            "received_at": pa.array(occurred + delay).cast(instant),
            "value": np.round(random.gamma(2.0, 20.0, events), 2),
            "quantity": random.integers(1, 5, events),
            "cart_id": pa.array(random.integers(0, events // 5 + 1, events)).cast(pa.string()),
            "product_id": pa.array(random.integers(0, 2_000, events)).cast(pa.string()),
            "category": pa.array(random.integers(0, 30, events)).cast(pa.string()),
        }
    )


def many(events: pa.Table, catalogue: Catalogue, population: Population, cutoffs: int) -> Any:
    """Time sort and signals of every customer at some cutoffs."""
    begun = time.perf_counter()
    timeline = Timeline.from_arrow(events)
    sorted_at = time.perf_counter()
    everyone = np.arange(len(timeline.customer_ids), dtype=np.int32)
    at = (DAYS - 30 * np.arange(cutoffs)) * DAY_US
    rows = build_features(
        timeline,
        catalogue,
        np.tile(everyone, cutoffs),
        np.repeat(at, len(everyone)),
        population=population,
    )
    done = time.perf_counter()
    return {
        "rows": len(rows),
        "columns": len(rows.names),
        "sort_s": round(sorted_at - begun, 3),
        "signals_s": round(done - sorted_at, 3),
    }


def one(catalogue: Catalogue, population: Population, repeats: int) -> Any:
    """Time one customer with 500 events, from an Arrow table to a row of signals."""
    events = made_up_events(500, 1, late=0.0, seed=2)
    nobody_else, cutoff = np.zeros(1, np.int32), np.array([700 * DAY_US])
    total, sort = np.empty(repeats), np.empty(repeats)
    for turn in range(repeats):
        begun = time.perf_counter()
        timeline = Timeline.from_arrow(events)
        sort[turn] = time.perf_counter() - begun
        build_features(timeline, catalogue, nobody_else, cutoff, population=population)
        total[turn] = time.perf_counter() - begun
    return {
        "sort_p50_ms": round(float(np.median(sort)) * 1e3, 3),
        "p50_ms": round(float(np.median(total)) * 1e3, 3),
        "p99_ms": round(float(np.percentile(total, 99)) * 1e3, 3),
    }


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--customers", type=int, default=20_000)
    options.add_argument("--cutoffs", type=int, default=12)
    options.add_argument("--late", type=float, default=0.0)
    options.add_argument("--repeats", type=int, default=500)
    chosen = options.parse_args()
    catalogue = Catalogue.of()
    fit = np.array([[0.4, 20.0, 0.8, 2.5, 0.5, 25.0, 0.6, 2.0, 6.25, 3.74, 15.44]])
    population = Population(np.array([0]), ("1970-01-01",), fit)
    begun = time.perf_counter()
    many(made_up_events(5_000, 50, late=0.1, seed=1), catalogue, population, 2)
    warm = time.perf_counter() - begun
    events = made_up_events(chosen.events, chosen.customers, late=chosen.late, seed=0)
    print(
        json.dumps(
            {
                "options": vars(chosen),
                "warm_up_s": round(warm, 3),
                "one_customer_500_events": one(catalogue, population, chosen.repeats),
                "many_cutoffs": many(events, catalogue, population, chosen.cutoffs),
                "one_cutoff": many(events, catalogue, population, 1),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
