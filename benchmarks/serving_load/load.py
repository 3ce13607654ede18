"""Runs the load generator in a process of its own, and sums up what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

CLIENT = Path(__file__).with_name("client.py")


@dataclass(frozen=True)
class Target:
    """A server, and what is asked of it.

    Attributes
    ----------
    url : str
        ``http://127.0.0.1:8000``.
    requests : sequence of str
        Whole HTTP requests, asked in turn.
    session : int
        Whose processor time is counted: the server's process and all that it started.
    """

    url: str
    requests: Sequence[str]
    session: int = 0

    def closed(self, connections: int, seconds: float) -> dict[str, Any]:
        """Return throughput and latencies with every connection kept busy."""
        return self._run(connections=connections, seconds=seconds, rate=0, once=False)

    def once(self) -> dict[str, Any]:
        """Ask everything once, two requests at a time; it may take two minutes."""
        return self._run(connections=2, seconds=120.0, rate=0, once=True)

    def open(self, rate: float, connections: int, seconds: float) -> dict[str, Any]:
        """Return latencies where requests are due at fixed times."""
        return self._run(connections=connections, seconds=seconds, rate=rate, once=False)

    def _run(self, **plan: float) -> dict[str, Any]:
        place, before = urlsplit(self.url), processor_seconds(self.session)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(list(self.requests), file)
            file.flush()
            whole = {"host": place.hostname, "port": place.port, "requests": file.name, **plan}
            told = subprocess.run(
                [sys.executable, str(CLIENT)],
                input=json.dumps(whole),
                capture_output=True,
                text=True,
                check=True,
                timeout=plan["seconds"] * 2 + 90,
            )
        said = json.loads(told.stdout)
        figures, used = _summed(said), processor_seconds(self.session) - before
        answered = figures.pop("answered")
        if answered:
            figures["cpu_ms"] = round(used * 1000 / answered, 3)
            figures["client_cpu_ms"] = round(said["processor_seconds"] * 1000 / answered, 3)
        return figures | _quantiles(np.array(said["late"]), "client_late_")


def processor_seconds(session: int) -> float:
    """Return the processor time that all processes of a session have used.

    Unlike throughput it says little of what else the machine does.
    """
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            values = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(values[3]) == session:
            ticks += int(values[11]) + int(values[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def get(path: str, key: str) -> str:
    """Return a whole GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\r\n"


def post(path: str, body: Any, key: str = "") -> str:
    """Return a whole POST request of a JSON body."""
    text = json.dumps(body)
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"Authorization: Bearer {key}"] if key else []
    return "\r\n".join([*lines, f"Content-Length: {len(text)}", "", text])


def _summed(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return rates, and quantiles by what was answered: 200, or a refusal."""
    fine = np.array(told["latencies"].get("200", []))
    refused = np.concatenate([told["latencies"].get(code, []) for code in ("429", "503")])
    other = sum(
        times for code, times in told["statuses"].items() if code not in ("200", "429", "503")
    )
    return {
        "answered": sum(told["statuses"].values()),
        "per_second": round(len(fine) / told["seconds"], 1),
        **_quantiles(fine, ""),
        "refused": len(refused),
        **(_quantiles(refused, "refused_") if len(refused) else {}),
        "errors": other,
    }


def _quantiles(seconds: np.ndarray, name: str) -> dict[str, float]:
    if not len(seconds):
        return {}
    return {
        f"{name}p{percent}_ms": round(float(np.percentile(seconds, percent)) * 1000, 2)
        for percent in (50, 99)
    }
