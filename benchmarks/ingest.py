"""How many events a second are on the disk, over HTTP, as the store grows.

``python benchmarks/ingest.py [--stored 0 100000] [--seconds 10] [--batch 500] [--connections 4]
[--single 16] [--postgres] [--json]``. The service is ``churnguard serve`` in a process of its own
on 127.0.0.1, with one worker; the client is this process, on the same machine, and its own work is
in the figures. The store is filled up to each size first (``filling.py``). Each request waits for
its 202, which comes after the commit is on the disk. Beside the rates stands what an event costs of
a processor, on either side: on a busy machine the rates say little. ``--stored 0 1000000 5000000``
takes 3 to 6 minutes, 1.5 GB of memory and 5 GB of disk.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import numpy as np
import orjson

import churnguard
from churnguard.jobs.keys import create_key
from churnguard.jobs.ports import Shop
from churnguard.store.database import upgrade_database
from filling import CUSTOMERS, NAMES, fill
from machine_speed import yardstick_ms

_POSTGRES = {"max_wal_size": "8GB", "checkpoint_timeout": "15min", "shared_buffers": "1GB"}
"""As a production server of this size is set up; every commit waits for the disk all the same."""


def main() -> None:
    """Measure, and print a row a size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stored", type=int, nargs="+", default=[0, 100_000])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--single", type=int, default=16, help="connections of single events")
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        environ = {"CHURNGUARD_EVENTS_PER_MINUTE": "0", "CHURNGUARD_REQUESTS_PER_MINUTE": "0"}
        if options.postgres:
            from churnguard.testing.postgres import PostgresServer

            environ["CHURNGUARD_STORE"] = stack.enter_context(PostgresServer(_POSTGRES)).url("shop")
            upgrade_database(environ["CHURNGUARD_STORE"])
        root = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "shop"
        churnguard.create_project(root)
        shop = churnguard.open_shop(root, environ=environ)
        rows = measure(shop, environ, options)
    if options.json:
        print(json.dumps({"store": "postgresql" if options.postgres else "sqlite", "rows": rows}))
        return
    for row in rows:
        print("  ".join(f"{name} {value:>10,}" for name, value in row.items()))


def measure(shop: Shop, environ: dict[str, str], options: argparse.Namespace) -> list[Any]:
    """Return what each size of the store allows."""
    key = create_key(shop, "benchmark", ["events:write"])[1]
    found = []
    for size in options.stored:
        fill(shop.settings.store, shop.root, stored(shop), size)
        with Service(shop.root, environ) as service:
            load(service, key, seconds=1.0, batch=options.batch, connections=1)
            row: dict[str, Any] = {"stored": stored(shop), "yardstick ms": yardstick_ms()}
            many, lines = options.batch, options.connections
            row |= load(service, key, seconds=options.seconds, batch=many, connections=lines)
            lines = options.single
            alone = load(service, key, seconds=options.seconds / 2, batch=1, connections=lines)
            row |= {f"single {name}": value for name, value in alone.items()}
        found.append(row)
    return found


def stored(shop: Shop) -> int:
    """Return how many events the store holds."""
    return sum(shop.events.event_counts().values())


def body_of(label: str, number: int, batch: int) -> bytes:
    """Return the body of a request: about 190 bytes an event."""
    events = [
        {
            "event_id": f"{label}-{number}-{place}",
            "customer_id": f"C{(number * batch + place) * 7_919 % CUSTOMERS}",
            "event": NAMES[place % 4],
            "occurred_at": f"2026-06-01T10:{place // 60:02}:{place % 60:02}.{number % 1000:03}Z",
            "value": place % 90 + 0.5,
            "quantity": 1,
            "order_id": f"o{number}-{place}",
            "product_id": f"p{place % 997}",
        }
        for place in range(batch)
    ]
    return orjson.dumps({"events": events})


def load(
    service: Service, key: str, *, seconds: float, batch: int, connections: int
) -> dict[str, Any]:
    """Send as fast as answers come, on so many connections; return what was acknowledged."""
    end = time.perf_counter() + seconds
    times: list[float] = []
    wrong: list[str] = []

    def send(label: str) -> None:
        line = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=60)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        number = 0
        while (begin := time.perf_counter()) < end and not wrong:
            line.request("POST", "/v1/events", body_of(label, number, batch), headers)
            answer = line.getresponse()
            told = answer.read()
            if answer.status != 202 or orjson.loads(told)["accepted"] != batch:
                wrong.append(told[:300].decode())
            times.append(time.perf_counter() - begin)
            number += 1

    begin, here, there = time.perf_counter(), time.process_time(), service.cpu_seconds
    run = os.urandom(4).hex()
    threads = [threading.Thread(target=send, args=(f"{run}{n}",)) for n in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed = time.perf_counter() - begin
    if wrong:
        raise RuntimeError(wrong[0])
    sent = len(times) * batch
    p50, p99 = np.percentile(np.array(times) * 1e3, [50, 99])
    return {
        "events/s": round(sent / passed),
        "p50 ms": round(float(p50), 1),
        "p99 ms": round(float(p99), 1),
        "service CPU us": round((service.cpu_seconds - there) / sent * 1e6, 1),
        "client CPU us": round((time.process_time() - here) / sent * 1e6, 1),
    }


class Service:
    """``churnguard serve`` as a process of its own."""

    def __init__(self, root: Path, environ: dict[str, str]) -> None:
        self._root, self._environ = root, environ

    def __enter__(self) -> Self:
        words = ["serve", "--project", str(self._root), "--port", "0", "--json"]
        told = self._root / "serve.out"
        with told.open("wb") as out, (self._root / "serve.err").open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "churnguard.cli", *words],
                stdout=out,
                stderr=err,
                env=os.environ | self._environ,
            )
        for _ in range(3_000):
            time.sleep(0.1)
            try:
                self.url = str(json.loads(told.read_text())["api"]).removesuffix("/v1")
            except ValueError:
                continue
            return self
        raise RuntimeError((self._root / "serve.err").read_text()[-2000:])

    @property
    def cpu_seconds(self) -> float:
        """How much of a processor it has used since it began."""
        words = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=60)


if __name__ == "__main__":
    main()
