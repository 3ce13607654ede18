"""Times one customer with 500 events, from an Arrow table to a row of every signal.

``python benchmarks/one_customer.py --repeats 2000``
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.events.timeline import Timeline
from churnguard.features.build import build_features
from churnguard.features.catalogue import Catalogue
from churnguard.features.population import PARAMETERS, Population

EVENTS = {
    "order_completed": 0.06,
    "product_ordered": 0.18,
    "product_viewed": 0.36,
    "signed_in": 0.14,
    "product_added": 0.12,
    "products_searched": 0.08,
    "email_opened": 0.03,
    "support_ticket_opened": 0.02,
    "survey_answered": 0.01,
}
DAYS = 730
FIT = (0.4, 20.0, 0.8, 2.5, 0.5, 25.0, 0.6, 2.0, 6.25, 3.74, 15.44)


def made_up_events(events: int, *, seed: int) -> pa.Table:
    """Return unsorted canonical events of one customer over two years."""
    random = np.random.default_rng(seed)
    occurred = random.integers(0, DAYS * 86_400, events) * 1_000_000
    instant = pa.timestamp("us", tz="UTC")

    def words(different: int) -> pa.Array:
        return pa.array(random.integers(0, different, events)).cast(pa.string())

    return pa.table(
        {
            "event_id": pa.array(np.arange(events)).cast(pa.string()),
            "customer_id": pa.array(["C1"] * events),
            "event": pa.array(
                random.choice(list(EVENTS), events, p=list(EVENTS.values()))
            ).dictionary_encode(),
            "occurred_at": pa.array(occurred).cast(instant),
            "received_at": pa.array(occurred).cast(instant),
            "value": np.round(random.gamma(2.0, 20.0, events), 2),
            "quantity": random.integers(1, 5, events),
            "order_id": words(events // 16 + 1),
            "cart_id": words(events // 5 + 1),
            "product_id": words(200),
            "category": words(30),
        }
    )


def measure(events: int, repeats: int) -> dict[str, float]:
    """Return milliseconds of sorting and of everything, over many repeats."""
    catalogue, table = Catalogue.of(), made_up_events(events, seed=2)
    population = Population(np.array([0]), ("1970-01-01",), np.array([FIT[: len(PARAMETERS)]]))
    customer, cutoff = np.zeros(1, np.int32), np.array([700 * DAY_US])
    sort, total = np.empty(repeats), np.empty(repeats)
    for turn in range(-20, repeats):  # the first ones load compiled loops
        begun = time.perf_counter()
        timeline = Timeline.from_arrow(table)
        sort[turn] = time.perf_counter() - begun
        build_features(timeline, catalogue, customer, cutoff, population=population)
        total[turn] = time.perf_counter() - begun
    return {
        "signals": len(catalogue),
        "sort_p50_ms": _ms(sort, 50),
        "best_ms": _ms(total, 0),
        "p50_ms": _ms(total, 50),
        "p99_ms": _ms(total, 99),
    }


def _ms(seconds: NDArray[np.float64], percent: float) -> float:
    return round(float(np.percentile(seconds, percent)) * 1e3, 3)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=500)
    options.add_argument("--repeats", type=int, default=2_000)
    chosen = options.parse_args()
    print(json.dumps(vars(chosen) | measure(chosen.events, chosen.repeats), indent=1))


if __name__ == "__main__":
    main()
