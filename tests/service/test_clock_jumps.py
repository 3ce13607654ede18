"""F27: the clock jumps back, forward, and over a leap day; no id and no cursor depends on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from small_model import NOW, customers_of, make_bundle, make_shop, promote

from churnguard.bootstrap import open_shop
from churnguard.clock import DAY_US, iso, local_day, midnight, to_us
from churnguard.jobs.champion import ChampionHolder
from churnguard.jobs.score import score_everybody
from churnguard.jobs.score_customer import CustomerScorer
from churnguard.jobs.timeline_cache import TimelineCache

DAY = timedelta(days=1)


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    shop = make_shop(tmp_path_factory.mktemp("clock") / "shop", customers=14)
    promote(shop, make_bundle(shop, 1))
    return shop.root


@pytest.fixture
def clock():
    return Clock(NOW)


@pytest.fixture
def shop(root, clock):
    return open_shop(root, clock=clock, environ={})


@pytest.fixture
def client(shop, make_client):
    holder = ChampionHolder(shop)
    assert holder.refresh(), holder.error
    key = shop.keys.create("test", ("scores:read", "events:write"), now=NOW - 90 * DAY)[1]
    scorer = CustomerScorer(shop, TimelineCache(shop))
    return make_client(shop, champion=holder, scorer=scorer, key=key)


def event(name, customer, at):
    return {"event_id": name, "customer_id": customer, "event": "signed_in", "occurred_at": iso(at)}


def statuses(client, *events, **options):
    answer = client.post("/v1/events", json=list(events), **options)
    assert answer.status_code == 202, answer.text
    return [one["status"] for one in answer.json()["results"]]


@pytest.mark.parametrize("jump", [-400 * DAY, -DAY, -timedelta(seconds=1), DAY, 400 * DAY])
def test_events_are_known_by_their_id_whatever_the_clock_says(shop, client, clock, jump):
    customer, name = customers_of(shop)[0], f"jump {jump}"
    earliest = min(clock.now, clock.now + jump) - DAY
    before, after = (event(f"{name} {one}", customer, earliest) for one in ("before", "after"))
    key = {"headers": {"Idempotency-Key": f'"{name}"'}}
    assert statuses(client, before, **key) == ["accepted"]
    clock.now += jump
    assert statuses(client, before, after) == ["duplicate", "accepted"]
    clock.now = NOW
    assert statuses(client, before, after) == ["duplicate", "duplicate"]
    assert statuses(client, before, **key) == ["accepted"]  # replayed
    stored = shop.events.history()["event_id"].to_pylist()
    assert stored.count(before["event_id"]) == stored.count(after["event_id"]) == 1


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_a_list_goes_on_where_it_was(shop, client, clock, jump):
    score_everybody(shop)
    whole = client.get("/v1/at-risk?page_size=1000").json()["scores"]
    assert len(whole) > 4
    listed, token = [], ""
    for _ in range(len(whole)):
        page = client.get(f"/v1/at-risk?page_size=2&page_token={token}").json()
        listed += page["scores"]
        token = page["next_page_token"]
        clock.now += jump
        if not token:
            break
    assert [one["customer_id"] for one in listed] == [one["customer_id"] for one in whole]


def test_a_score_reflects_what_came_while_the_clock_was_wrong(shop, client, clock):
    customer = customers_of(shop)[1]
    clock.now = NOW - DAY
    assert statuses(client, event("while it was slow", customer, clock.now)) == ["accepted"]
    clock.now = NOW
    score = client.get(f"/v1/customers/{customer}/score").json()
    assert score["status"] == "scored"
    assert score["data_through"] >= iso(NOW - DAY)
    assert score["as_of"] == iso(NOW)


def test_a_leap_day_is_a_day_like_any_other():
    days = [datetime(2028, 2, 27, tzinfo=UTC) + n * DAY for n in range(4)]
    assert [local_day(one, "Asia/Jerusalem").isoformat() for one in days] == [
        "2028-02-27",
        "2028-02-28",
        "2028-02-29",
        "2028-03-01",
    ]
    starts = [to_us(midnight(local_day(one, "Asia/Jerusalem"), "Asia/Jerusalem")) for one in days]
    assert {later - earlier for earlier, later in pairwise(starts)} == {DAY_US}
