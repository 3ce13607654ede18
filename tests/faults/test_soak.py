"""F50: half an hour at half of what it can take; beside it events, model swaps and nights.

Memory, open files and threads are sampled all the while, and must not go on growing: what counts is
how the last quarter compares with the second (the first fills the caches). The log of writes grows
until it is moved, and must stay within that.
``SOAK_MINUTES=4`` makes it shorter, ``--log-cli-level=info`` shows the figures.
"""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest
from harness import Server
from load import Load, Told
from small_model import NOW, customers_of, make_bundle, make_shop, promote

from churnguard.jobs.keys import create_key
from churnguard.jobs.ports import Shop
from churnguard.store.checkpoints import ENOUGH_BYTES

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(7200)]

LOG = logging.getLogger(__name__)
SECONDS = float(os.environ.get("SOAK_MINUTES", "30")) * 60
QUARTERS = 4
BETWEEN_EVENTS, BETWEEN_SWAPS, BETWEEN_NIGHTS = 1.0, 20.0, 90.0
GREW_MB, GREW_FILES, GREW_THREADS = 40, 8, 4
LOG_MB = 1.25 * ENOUGH_BYTES / 1e6  # from ENOUGH_BYTES on it is moved, beside the writers


@dataclass(frozen=True)
class Sample:
    """What a server holds at a moment."""

    memory_mb: float
    files: int
    threads: int
    log_mb: float

    @classmethod
    def of(cls, server: Server) -> Sample:
        """Look at a server's process, and at its store's log of writes."""
        process = Path(f"/proc/{server.process.pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        logs = server.root.rglob("*.db-wal")
        return cls(
            memory_mb=int(status["VmRSS"].split()[0]) / 1024,
            files=len(list((process / "fd").iterdir())),
            threads=int(status["Threads"]),
            log_mb=sum(log.stat().st_size for log in logs) / 1e6,
        )


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Make a shop with forty customers and two models, the first of them champion."""
    shop = make_shop(tmp_path / "shop", customers=40)
    promote(shop, make_bundle(shop, 1), version="1")
    make_bundle(shop, 2)
    return shop


@pytest.fixture
def server(shop: Shop) -> Iterator[Server]:
    """Serve it."""
    key = create_key(shop, "soak", ["scores:read", "events:write"])[1]
    with Server(shop.root, key, environ={"CHURNGUARD_REQUESTS_PER_MINUTE": "0"}) as server:
        yield server


@contextmanager
def beside(seconds: float, work: Callable[[int], None]) -> Iterator[list[int]]:
    """Do something again and again, so many seconds apart; what it raises is raised at the end."""
    over, turns = threading.Event(), list[int]()

    def go_on() -> None:
        while not over.wait(seconds):
            work(len(turns))
            turns.append(len(turns))

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(go_on)
        try:
            yield turns
        finally:
            over.set()
            working.result(timeout=300)


def soaked(shop: Shop, server: Server, folder: Path) -> tuple[list[Told], list[list[Sample]]]:
    """Load a server while everything else goes on; return answers and samples by quarter."""
    customers, draw = customers_of(shop), random.Random(50)
    bundles = [one for one in (shop.root / "bundles").iterdir() if len(one.name) == 64]
    scores = [f"/v1/customers/{one}/score" for one in customers]
    explained = [f"{score}?explain=true" for score in scores]
    load = Load(folder, server, [*scores, *explained, "/v1/at-risk", "/readyz"])
    client = server.client()

    def send(turn: int) -> None:
        at = datetime.now(UTC).isoformat()
        names = ("signed_in", "product_viewed", "product_added", "products_searched")
        events = [
            {"event_id": f"soak-{turn}-{place}", "customer_id": one, "event": name}
            | {"occurred_at": at}
            for place, (one, name) in enumerate(zip(draw.sample(customers, 4), names, strict=True))
        ]
        answer = client.post("/v1/events", json=events)
        assert answer.status_code == 202, answer.text

    def swap(turn: int) -> None:
        version = str(turn + 2)
        promote(shop, bundles[turn % 2], version=version)
        end = time.monotonic() + 700
        while client.get("/readyz").json()["model_version"] != version:
            assert time.monotonic() < end, f"version {version} does not serve"
            time.sleep(0.2)

    def night(turn: int) -> None:
        words = ["run", "daily", "--project", str(shop.root), "--json", "--as-of"]
        words.append((NOW + timedelta(days=1 + turn)).date().isoformat())
        words += ["--out", str(folder / f"night-{turn}.parquet"), "--wait", "60"]
        told = subprocess.run(
            [sys.executable, "-m", "churnguard.cli", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        assert told.returncode == 0, told.stderr
        assert json.loads(told.stdout)

    samples = list[Sample]()
    answers, places = list[Told](), [0]
    with client:
        rate = load.capacity(5) / 2
        with (
            beside(1.0, lambda _: samples.append(Sample.of(server))),
            beside(BETWEEN_EVENTS, send) as sent,
            beside(BETWEEN_SWAPS, swap) as swaps,
            beside(BETWEEN_NIGHTS, night) as nights,
        ):
            for _ in range(QUARTERS):
                answers.append(load.run(rate, SECONDS / QUARTERS, connections=16))
                places.append(len(samples))
    LOG.info("%.0f a second; %d sendings of events", rate, len(sent))
    LOG.info("%d swaps, %d nights", len(swaps), len(nights))
    assert min(len(sent), len(swaps), len(nights)) > 0
    return answers, [samples[begin:end] for begin, end in pairwise(places)]


def test_half_an_hour_leaves_a_server_as_it_was(shop, server, tmp_path):
    """F50: nothing fails, and memory, files, threads, log and latency stay where they were."""
    answers, quarters = soaked(shop, server, tmp_path)
    levels = [
        {one.name: median(getattr(s, one.name) for s in samples) for one in fields(Sample)}
        for samples in quarters
    ]
    slowest = [told.quantile(0.99, 200) for told in answers]
    for level, told, p99 in zip(levels, answers, slowest, strict=True):
        LOG.info("%s, %d answers, p99 %.0f ms", level, told.total, p99 * 1000)
    assert {status for told in answers for status in told.seconds} == {200}
    grew = {name: levels[-1][name] - levels[1][name] for name in levels[0]}
    assert grew["memory_mb"] < GREW_MB
    assert grew["files"] <= GREW_FILES
    assert grew["threads"] <= GREW_THREADS
    assert max(one.log_mb for samples in quarters for one in samples) < LOG_MB
    assert slowest[-1] < 3 * max(*slowest[:2], 0.05)
