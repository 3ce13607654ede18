"""Load from processes of its own, or its slowness would count as the server's.

Closed loop, each connection asks again when it is answered; open loop, requests leave at fixed
times whether or not the ones before were answered, so that a server that stalls is caught at it,
and latency counts from when a request was due.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from harness import Server

CLIENT = Path(__file__).resolve().parents[2] / "benchmarks" / "serving_load" / "client.py"


class Told:
    """What a load was told: seconds by status; 0 is a connection that failed."""

    def __init__(self, latencies: Mapping[str, Sequence[float]]) -> None:
        self.seconds = {int(status): sorted(times) for status, times in latencies.items()}

    def count(self, *statuses: int) -> int:
        """Return how many answers had one of these statuses."""
        return sum(len(self.seconds.get(one, ())) for one in statuses)

    def quantile(self, share: float, *statuses: int) -> float:
        """Return seconds within which such a share of answers of these statuses came."""
        times = sorted(t for one in statuses for t in self.seconds.get(one, ()))
        return times[min(len(times) - 1, int(len(times) * share))]

    @property
    def total(self) -> int:
        """How many requests were sent."""
        return sum(map(len, self.seconds.values()))


class Load:
    """Requests that are sent to a server again and again, over kept connections.

    Parameters
    ----------
    folder : Path
        Where the requests are written down.
    server : Server
        Who is asked.
    paths : sequence of str
        What is got, in turn.
    keys : sequence of str
        API keys, used in turn; the server's own when none is given.
    """

    def __init__(
        self, folder: Path, server: Server, paths: Sequence[str], keys: Sequence[str] = ()
    ) -> None:
        place = urlsplit(server.url)
        self._place = {"host": place.hostname, "port": place.port}
        heads = [
            f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {key}\r\n\r\n"
            for path in paths
            for key in keys or [server.key]
        ]
        self._requests = folder / f"requests-{len(list(folder.glob('requests-*')))}.json"
        self._requests.write_text(json.dumps(heads))

    def run(self, rate: float, seconds: float, *, connections: int = 256) -> Told:
        """Ask so often a second, for so long."""
        return self._asked(rate=rate, seconds=seconds, connections=connections)

    def capacity(self, seconds: float) -> float:
        """Return how many are answered a second by eight that ask one after the other."""
        told = self._asked(rate=0, seconds=seconds, connections=8)
        assert set(told.seconds) == {200}
        return told.total / seconds

    def _asked(self, **plan: float) -> Told:
        whole = {**plan, **self._place, "requests": str(self._requests), "once": False}
        told = subprocess.run(
            [sys.executable, str(CLIENT)],
            input=json.dumps(whole),
            capture_output=True,
            text=True,
            check=True,
            timeout=plan["seconds"] * 2 + 60,
        )
        return Told(json.loads(told.stdout)["latencies"])
