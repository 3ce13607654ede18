"""F19, F20: ten times too much is refused at once, and a flood by one caller hurts no other.

The load is open-loop (``load.py``). What is asked for is the at-risk list, which costs a read of
the store. Times are held against what the machine can do at the moment, which is measured first:
other work may go on beside the tests.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from load import Load

import churnguard
from churnguard.jobs.keys import create_key

pytestmark = pytest.mark.chaos

PLACES = 32
AT_RISK = ["/v1/at-risk"]


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
    server, more_keys, tmp_path
):
    """F19: what is accepted keeps its budget, the rest is told to come back, nothing breaks."""
    load = Load(tmp_path, server, AT_RISK, [server.key, *more_keys])
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


def test_one_callers_flood_leaves_the_others_as_they_were(server, more_keys, tmp_path):
    """F20: two keys, one at many times its share; the other's requests are all answered."""
    flooding = Load(tmp_path, server, AT_RISK)
    calm = Load(tmp_path, server, AT_RISK, more_keys[:1])
    rate = flooding.capacity(3)
    with ThreadPoolExecutor(1) as beside:
        flood = beside.submit(flooding.run, rate * 5, 6)
        mine = calm.run(rate / 10, 4)
    assert flood.result().count(429) > flood.result().count(200)
    assert set(mine.seconds) == {200}
    assert mine.quantile(0.99, 200) < budget(rate)
