"""What a key may spend, and what it is told; what the whole process answers at a time."""

from __future__ import annotations

import asyncio

import pytest

from churnguard.project.settings import Settings
from churnguard.serving.overload import Overload, Places
from churnguard.serving.rate_limits import Budgets, Policy, RateLimited
from churnguard.testing import fake_shop
from churnguard.testing.shop import SETTINGS


class TestBudgets:
    @pytest.fixture
    def now(self):
        return [0.0]

    @pytest.fixture
    def budgets(self, now):
        return Budgets([Policy("default", 60, "requests")], monotonic=lambda: now[0])

    def test_what_is_left_is_told_and_flows_back(self, budgets, now):
        assert budgets.charge("default", "k", 10)["RateLimit"] == '"default";r=50;t=10'
        now[0] = 4.0
        assert budgets.charge("default", "k", 1)["RateLimit"] == '"default";r=53;t=7'

    def test_the_wait_that_is_told_is_enough(self, budgets, now):
        """Whoever keeps to Retry-After is not refused a second time."""
        budgets.charge("default", "k", 60)
        for _ in range(5):
            with pytest.raises(RateLimited) as caught:
                budgets.charge("default", "k", 7)
            now[0] += int(caught.value.headers["Retry-After"])
            budgets.charge("default", "k", 7)

    def test_a_refusal_costs_nothing(self, budgets, now):
        """A flood that is refused does not keep its sender locked out."""
        budgets.charge("default", "k", 60)
        for _ in range(1000):
            with pytest.raises(RateLimited):
                budgets.charge("default", "k", 1)
        now[0] = 1.0
        assert budgets.charge("default", "k", 1)["RateLimit"] == '"default";r=0;t=60'

    def test_keys_and_policies_do_not_share(self, now):
        both = [Policy("default", 60, "requests"), Policy("events", 60, "events")]
        budgets = Budgets(both, monotonic=lambda: now[0])
        for name, who in (("default", "a"), ("default", "b"), ("events", "a")):
            assert ";r=0;" in budgets.charge(name, who, 60)["RateLimit"]

    def test_more_than_a_full_bucket_is_a_full_bucket(self, budgets):
        assert ";r=0;" in budgets.charge("default", "k", 10_000)["RateLimit"]

    def test_no_quota_is_no_limit(self):
        assert Budgets([Policy("default", 0, "requests")]).charge("default", "k", 10**9) == {}


@pytest.fixture
def strict(make_client):
    """Ask a shop that grants 100 a minute."""
    from churnguard.jobs.keys import create_key

    settings = Settings.model_validate({**SETTINGS, "requests_per_minute": 100})
    shop = fake_shop(settings=settings)
    keys = [create_key(shop, "crm", ["scores:read"])[1] for _ in range(2)]
    client = make_client(shop, key=keys[0])
    return client, client.as_key(keys[1])


def test_a_batch_costs_as_many_as_it_has_items(strict):
    client, other = strict
    batch = {"items": [{"customer_id": "C1"}] * 90}
    assert ";r=10;" in client.post("/v1/scores", json=batch).headers["ratelimit"]
    refused = client.post("/v1/scores", json=batch)
    assert refused.status_code == 429
    assert refused.json()["type"] == "/docs#rate-limited"
    assert int(refused.headers["retry-after"]) in range(46, 50)
    assert refused.headers["ratelimit-policy"] == '"default";q=100;w=60'
    assert other.post("/v1/scores", json=batch).status_code == 200


def test_every_answer_to_a_key_tells_what_is_left(strict):
    client, _ = strict
    for path in ("/v1/model", "/v1/customers/nobody/score", "/v1/at-risk?page_size=-1"):
        assert client.get(path).headers["ratelimit"].startswith('"default";r=')
    assert "ratelimit" not in client.get("/livez").headers


class _App:
    """Hold every request until told."""

    def __init__(self):
        self.go = asyncio.Event()
        self.held = 0

    async def __call__(self, scope, receive, send):
        self.held += 1
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def _ask(wall, who, path="/v1/model"):
    headers = [(b"authorization", who)]
    scope = {"type": "http", "path": path, "headers": headers, "client": ("192.0.2.1", 1)}
    sent = []

    async def send(message):
        sent.append(message)

    async def ask():
        await wall(scope, None, send)
        return sent[0]["status"], dict(sent[0]["headers"]), sent[-1]["body"]

    return asyncio.ensure_future(ask())


def test_places_are_bounded_in_all_and_for_one_caller():
    """F19, F20: what is too much is refused at once; one caller leaves half of the places free."""

    async def story():
        app, refused = _App(), []
        wall = Overload(app, Places(8, refused=refused.append))
        flood = [_ask(wall, b"A") for _ in range(20)]
        await asyncio.sleep(0)
        others = [_ask(wall, who) for who in (b"B", b"C", b"D", b"E", b"F")]
        health = _ask(wall, b"A", "/livez")
        await asyncio.sleep(0)
        assert app.held == 9
        app.go.set()
        codes = [(await one)[0] for one in [*flood, *others, health]]
        assert codes == [200] * 4 + [429] * 16 + [200] * 4 + [503] + [200]
        assert (wall.places.total, dict(wall.places.under_way)) == (0, {})
        assert refused == ["too-many-at-once"] * 16 + ["overloaded"]
        status, headers, body = await flood[-1]
        assert (status, headers[b"retry-after"]) == (429, b"1")
        assert headers[b"content-type"] == b"application/problem+json"
        assert b"too-many-at-once" in body

    asyncio.run(story())


def test_a_place_is_given_back_whatever_happens():
    async def broken(scope, receive, send):
        raise RuntimeError

    async def story():
        wall = Overload(broken, Places(2))
        for _ in range(5):
            with pytest.raises(RuntimeError):
                await _ask(wall, b"A")
        assert wall.places.total == 0

    asyncio.run(story())


def test_refusals_are_logged_once_a_second(caplog):
    async def story():
        now = [0.0]
        wall = Overload(_App(), Places(2, monotonic=lambda: now[0]))
        held = [_ask(wall, who) for who in (b"A", b"B")]
        await asyncio.sleep(0)
        for _ in range(100):
            assert (await _ask(wall, b"C"))[0] == 503
        now[0] = 1.0
        await _ask(wall, b"C")
        wall.app.go.set()
        await asyncio.gather(*held)

    asyncio.run(story())
    told = [record.facts["refused"] for record in caplog.records]
    assert told == [1, 100]
