"""F19, F20: ten times too much is refused at once, and a flood by one caller hurts no other.

The load is open-loop: requests leave at fixed times whether or not the ones before were answered,
so that a server that stalls is caught at it; latency counts from when a request was due. It comes
from processes of their own, or their slowness would count as the server's. What is asked for is the
at-risk list, which costs it a read of the store. Times are held against what the machine can do at
the moment, which is measured first: other work may go on beside the tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

import churnguard
from churnguard.jobs.keys import create_key

pytestmark = pytest.mark.chaos

PLACES = 32
CONNECTIONS = 256


class Told:
    """What a load was told: seconds by status; 0 is a connection that failed."""

    def __init__(self, latencies):
        self.seconds = {int(status): sorted(times) for status, times in latencies.items()}

    def count(self, *statuses):
        return sum(len(self.seconds.get(one, ())) for one in statuses)

    def quantile(self, share, *statuses):
        times = sorted(t for one in statuses for t in self.seconds.get(one, ()))
        return times[min(len(times) - 1, int(len(times) * share))]

    @property
    def total(self):
        return sum(map(len, self.seconds.values()))


class Load:
    """Ask for the at-risk list with some keys in turn, over kept connections."""

    def __init__(self, repo_root, folder, server, *keys):
        self._client = repo_root / "benchmarks" / "serving_load" / "client.py"
        self._requests = folder / f"{keys[0][-8:]}.json"
        place = urlsplit(server.url)
        self._place = {"host": place.hostname, "port": place.port}
        head = f"GET /v1/at-risk HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer "
        self._requests.write_text(json.dumps([f"{head}{key}\r\n\r\n" for key in keys]))

    def run(self, rate, seconds):
        """Ask so often a second, for so long."""
        return self._asked(rate=rate, seconds=seconds, connections=CONNECTIONS)

    def capacity(self, seconds):
        """Return how many are answered a second by eight that ask one after the other."""
        told = self._asked(rate=0, seconds=seconds, connections=8)
        assert set(told.seconds) == {200}
        return told.total / seconds

    def _asked(self, **plan):
        plan |= {**self._place, "requests": str(self._requests), "once": False}
        told = subprocess.run(
            [sys.executable, str(self._client)],
            input=json.dumps(plan),
            capture_output=True,
            text=True,
            check=True,
            timeout=plan["seconds"] * 2 + 60,
        )
        return Told(json.loads(told.stdout)["latencies"])


@pytest.fixture
def server(make_server):
    limits = {
        "CHURNGUARD_REQUESTS_PER_MINUTE": "0",
        "CHURNGUARD_REQUESTS_AT_ONCE": str(PLACES),
    }
    server = make_server(scopes=["scores:read"], environ=limits)
    server.start()
    return server


@pytest.fixture
def more_keys(server):
    """Make more keys of the server's shop."""
    shop = churnguard.open_shop(server.root)
    return [create_key(shop, f"other {number}", ["scores:read"])[1] for number in range(3)]


def budget(rate):
    """Return how long what is accepted may take: four times the places, one after the other."""
    return max(0.5, 4 * PLACES / rate)


def test_ten_times_too_much_is_refused_at_once_and_forgotten_in_seconds(
    server, more_keys, repo_root, tmp_path
):
    """F19: what is accepted keeps its budget, the rest is told to come back, nothing breaks."""
    load = Load(repo_root, tmp_path, server, server.key, *more_keys)
    rate = load.capacity(3)
    flood = load.run(rate * 10, 5)
    after = load.run(rate / 8, 3)
    assert set(flood.seconds) <= {200, 429, 503}
    assert flood.count(200) > 0
    assert flood.count(429, 503) > flood.total / 3
    assert flood.quantile(0.99, 200) < budget(rate)
    assert flood.quantile(0.5, 429, 503) < budget(rate) / 4
    assert set(after.seconds) == {200}
    assert after.quantile(0.5, 200) < budget(rate) / 2


def test_one_callers_flood_leaves_the_others_as_they_were(server, more_keys, repo_root, tmp_path):
    """F20: two keys, one at many times its share; the other's requests are all answered."""
    flooding = Load(repo_root, tmp_path, server, server.key)
    calm = Load(repo_root, tmp_path, server, more_keys[0])
    rate = flooding.capacity(3)
    with ThreadPoolExecutor(1) as beside:
        flood = beside.submit(flooding.run, rate * 5, 6)
        mine = calm.run(rate / 10, 4)
    assert flood.result().count(429) > flood.result().count(200)
    assert set(mine.seconds) == {200}
    assert mine.quantile(0.99, 200) < budget(rate)
