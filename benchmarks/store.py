"""How fast the store takes events: rows a second, on SQLite and PostgreSQL, as the log grows.

    python benchmarks/store.py [--rows 5000000] [--json]

Both are as durable as in production. Each store is filled step by step; at each step a bulk append
(one transaction of 50,000) and small ones (transactions of 500) of new events are timed, and so is
reading one customer. The clock runs inside the process that writes: no HTTP. Rows a second of CPU
count this process alone, so they hold on a busy machine, too; PostgreSQL works beside it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from churnguard.events.schema import EVENT_SCHEMA
from churnguard.store.database import open_database, upgrade_database
from churnguard.store.events import SqlEventStore
from churnguard.testing.postgres import PostgresServer, postgres_programs

BULK, SMALL = 50_000, 500
CUSTOMERS_A_MILLION = 20_000
_START = 1_700_000_000_000_000  # microseconds: 2023-11-14
_NAMES = ["product_viewed", "product_added", "order_completed", "signed_in"]


def some_events(first: int, rows: int, customers: int) -> pa.Table:
    """Return events of many customers over two years, each with an id of its own."""
    numbers = np.arange(first, first + rows)
    random = np.random.default_rng(first)
    whose = random.integers(0, customers, rows)
    at = _START + (numbers % 63_072_000) * 1_000_000
    value = np.round(random.gamma(2.0, 25.0, rows), 2)
    columns = {
        "event_id": pa.array([f"event-{number:012d}" for number in numbers]),
        "customer_id": pa.array([f"customer-{number:07d}" for number in whose]),
        "event": pa.array([_NAMES[number % 4] for number in numbers]).dictionary_encode(),
        "occurred_at": pa.array(at).view(pa.timestamp("us", tz="UTC")),
        "received_at": pa.array(at + 1_000_000).view(pa.timestamp("us", tz="UTC")),
        "clock": pa.array(["true"] * rows).dictionary_encode(),
        "value": pa.array(value),
        "currency": pa.array(["EUR"] * rows),
    }
    arrays = [
        columns[field.name].cast(field.type)
        if field.name in columns
        else pa.nulls(rows, field.type)
        for field in EVENT_SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=EVENT_SCHEMA)


def measure(url: str, folder: Path, steps: list[int]) -> list[dict[str, float]]:
    """Fill a store step by step; return what was measured at each."""
    upgrade_database(url, root=folder)
    engine = open_database(url, root=folder, timeout=120.0)
    store = SqlEventStore(engine, folder / "events")
    customers = max(steps) * CUSTOMERS_A_MILLION // 1_000_000
    stored, found = 0, []
    for size in steps:
        while stored < size:
            store.append(some_events(stored, min(BULK, size - stored), customers))
            stored += BULK
        stored = size
        cpu = time.process_time()
        bulk = [_append(store, stored + turn * BULK, BULK, customers) for turn in range(2)]
        cpu = time.process_time() - cpu - 2 * _cost_of_making(customers)
        stored += 2 * BULK
        small = [_append(store, stored + turn * SMALL, SMALL, customers) for turn in range(40)]
        stored += 40 * SMALL
        read = [_read(store, turn * 37 % customers) for turn in range(200)]
        found.append(
            {
                "rows": size,
                "bulk_rows_a_second": round(BULK / min(bulk)),
                "bulk_rows_a_second_of_cpu": round(2 * BULK / cpu),
                "small_rows_a_second": round(SMALL / statistics.median(small)),
                "small_p95_ms": round(1000 * sorted(small)[-3], 1),
                "read_customer_median_ms": round(1000 * statistics.median(read), 2),
            }
        )
        print(json.dumps(found[-1]), file=sys.stderr)
    engine.dispose()
    return found


def _cost_of_making(customers: int) -> float:
    start = time.process_time()
    some_events(0, BULK, customers)
    return time.process_time() - start


def _append(store: SqlEventStore, first: int, rows: int, customers: int) -> float:
    events = some_events(first, rows, customers)
    start = time.perf_counter()
    told = store.append(events)
    took = time.perf_counter() - start
    assert told.accepted == rows
    return took


def _read(store: SqlEventStore, number: int) -> float:
    start = time.perf_counter()
    store.events_of([f"customer-{number:07d}"])
    return time.perf_counter() - start


@contextmanager
def stores(folder: Path, wanted: str) -> Iterator[dict[str, str]]:
    """Give the addresses of empty stores."""
    found = {"sqlite": f"sqlite:///{folder}/shop.db"} if wanted != "postgresql" else {}
    if wanted == "sqlite" or postgres_programs() is None:
        yield found
        return
    with PostgresServer() as server:
        yield found | {"postgresql": server.url("shop")}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="events in the fullest store")
    parser.add_argument("--only", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    steps = [size for size in (100_000, 300_000, 1_000_000, 3_000_000) if size < options.rows]
    steps.append(options.rows)
    found = {}
    with TemporaryDirectory() as name, stores(Path(name), options.only) as urls:
        for kind, url in urls.items():
            (Path(name) / kind).mkdir()
            found[kind] = measure(url, Path(name) / kind, steps)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for kind, rows in found.items():
        print(f"\n{kind}")
        print("    stored   bulk/s  bulk/s of CPU  500s/s  p95 ms  one customer ms")
        for row in rows:
            print(
                f"{row['rows']:>10,} {row['bulk_rows_a_second']:>8,} "
                f"{row['bulk_rows_a_second_of_cpu']:>14,} "
                f"{row['small_rows_a_second']:>7,} {row['small_p95_ms']:>7} "
                f"{row['read_customer_median_ms']:>8}"
            )


if __name__ == "__main__":
    main()
