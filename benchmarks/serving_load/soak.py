"""Half of what the server can take, for minutes: memory, files and threads must not grow."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from serving_load import servers
from serving_load.load import Target, get
from serving_load.shop import ServedShop

PAUSE_SECONDS = 2.0


def soak(shop: ServedShop, *, minutes: float) -> dict[str, Any]:
    """Return slopes per hour over the second half, and latencies of first and last quarter."""
    requests = [get(f"/v1/customers/{name}/score", shop.key) for name in shop.customers]
    with servers.ours(shop.root, requests_per_minute=0) as (url, pid):
        target = Target(url, requests)
        rate = target.closed(16, 5)["per_second"] / 2
        over, samples = threading.Event(), list[tuple[float, ...]]()
        watcher = threading.Thread(target=_watch, args=(pid, samples, over), daemon=True)
        watcher.start()
        quarters = [target.open(rate, 16, minutes * 15) for _ in range(4)]
        over.set()
        watcher.join()
    later = np.array(samples[len(samples) // 2 :])
    names = ("rss_mb", "files", "threads")
    return {
        "minutes": minutes,
        "per_second": round(rate, 1),
        "p99_ms by quarter": [quarter.get("p99_ms") for quarter in quarters],
        "errors": sum(quarter["errors"] for quarter in quarters),
        "at the end": dict(zip(names, later[-1, 1:].tolist(), strict=True)),
        "slope an hour": {
            name: round(float(np.polyfit(later[:, 0], later[:, column], 1)[0]) * 3600, 2)
            for column, name in enumerate(names, start=1)
        },
    }


def _watch(pid: int, samples: list[tuple[float, ...]], over: threading.Event) -> None:
    process = Path("/proc") / str(pid)
    while not over.wait(PAUSE_SECONDS):
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        samples.append(
            (
                time.monotonic(),
                int(status["VmRSS"].split()[0]) / 1024,
                len(list((process / "fd").iterdir())),
                int(status["Threads"]),
            )
        )
