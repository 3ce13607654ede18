"""Wrong keys (F41) and keys that end (F40): who waits, who does not, and what is told."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from statistics import median
from time import perf_counter

import pytest

from churnguard.errors import StoreUnavailable
from churnguard.jobs.keys import create_key, revoke_key
from churnguard.serving import create_app
from churnguard.serving.auth import LATELY_SECONDS, KeyRing, NotAuthenticated, TooManyTries
from churnguard.serving.failed_tries import FREE_TRIES, LONGEST_WAIT, FailedTries
from churnguard.store.database import open_database
from churnguard.store.keys import SqlKeyStore
from churnguard.testing import NOON, FakeChampion, FakeScorer, fake_shop

MINUTE = timedelta(minutes=1)


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def ring(now):
    shop = fake_shop(clock=lambda: NOON + timedelta(seconds=now[0]))
    return KeyRing(shop, monotonic=lambda: now[0])


def wrong(ring, key="cg_live_0000_1", address="192.0.2.1"):
    """Return what a wrong key is told."""
    try:
        ring.check(key, address=address)
    except (NotAuthenticated, TooManyTries) as error:
        return error
    raise AssertionError


def test_after_some_wrong_keys_the_wait_doubles_up_to_a_minute(now):
    tries = FailedTries(monotonic=lambda: now[0])
    waits = []
    for _ in range(FREE_TRIES + 10):
        tries.failed(["here"])
        waits.append(tries.wait(["here"]))
    assert waits[:FREE_TRIES] == [0] * FREE_TRIES
    assert waits[FREE_TRIES : FREE_TRIES + 7] == [1, 2, 4, 8, 16, 32, LONGEST_WAIT]
    now[0] = 2000.0
    tries.failed(["here"])
    assert tries.wait(["here"]) == 0, "it is forgotten in the end"


def test_an_address_that_tries_many_keys_waits(ring):
    for number in range(FREE_TRIES + 1):
        assert isinstance(wrong(ring, f"cg_live_{number}_x"), NotAuthenticated)
    error = wrong(ring, "cg_live_other_x")
    assert isinstance(error, TooManyTries)
    assert error.headers == {"Retry-After": "1"}
    assert isinstance(wrong(ring, "cg_live_other_x", address="192.0.2.2"), NotAuthenticated)


def test_one_key_tried_from_many_addresses_waits(ring):
    for number in range(FREE_TRIES + 1):
        wrong(ring, "cg_live_0000_x", address=f"192.0.2.{number}")
    assert isinstance(wrong(ring, "cg_live_0000_y", address="198.51.100.1"), TooManyTries)


def test_whether_a_key_exists_is_not_told(ring):
    """The same answers in the same order for a name that exists and one that does not."""
    key, _ = create_key(ring._shop, "crm", None)
    told = [
        [str(wrong(ring, f"cg_live_{key_id}_x", address=address)) for _ in range(15)]
        for key_id, address in ((key.key_id, "192.0.2.1"), ("0123456789abcdef", "192.0.2.2"))
    ]
    assert told[0] == told[1]
    assert len(set(told[0])) == 2


def test_a_key_that_was_good_lately_is_never_locked_out(ring, now):
    """An attacker behind the same address, or who knows the key's name, does not stop the shop."""
    key, text = create_key(ring._shop, "crm", ["scores:read"])
    ring.check(text, address="192.0.2.1")
    for _ in range(50):
        wrong(ring, f"cg_live_{key.key_id}_x", address="192.0.2.1")
    now[0] = 300.0
    assert ring.check(text, address="192.0.2.1") == key


def test_the_right_key_costs_no_tries(ring):
    _, text = create_key(ring._shop, "crm", ["scores:read"])
    for _ in range(100):
        ring.check(text, address="192.0.2.1")
    assert isinstance(wrong(ring), NotAuthenticated)


def test_what_is_remembered_of_strangers_is_bounded(now):
    tries = FailedTries(monotonic=lambda: now[0])
    for number in range(20_000):
        tries.failed([f"address {number}"])
    assert len(tries._tries) == 10_000


def test_who_has_to_wait_waits_while_others_are_counted(now):
    """Tries that come at the same time slip through no gap in the counting."""
    tries, unseen = FailedTries(monotonic=lambda: now[0]), []
    for _ in range(FREE_TRIES + 1):
        tries.failed(["here"])

    def ask():
        unseen.extend(1 for _ in range(2000) if not tries.wait(["here"]))

    def fail():
        for _ in range(2000):
            tries.failed(["here"])

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda work: work(), (ask, fail, ask, fail)))
    finally:
        sys.setswitchinterval(interval)
    assert not unseen


@pytest.fixture
def away(ring, monkeypatch):
    """Take the store of keys away."""

    def refuse(*_args, **_kwargs):
        raise StoreUnavailable("The store is away.")

    return lambda: monkeypatch.setattr(ring._shop.keys, "verify", refuse)


def test_a_key_that_ended_is_not_taken_while_the_store_is_away(ring, now, away):
    ends = NOON + timedelta(seconds=60)
    key, text = ring._shop.keys.create("crm", ["scores:read"], now=NOON, expires_at=ends)
    assert ring.check(text) == key
    away()
    now[0] = 59.0
    assert ring.check(text) == key
    now[0] = 60.0
    with pytest.raises(StoreUnavailable):
        ring.check(text)


def test_over_http_it_is_a_429_with_a_time(client):
    codes = [client.as_key(f"cg_live_{n}_x").get("/v1/model").status_code for n in range(15)]
    assert codes == [401] * (FREE_TRIES + 1) + [429] * (15 - FREE_TRIES - 1)
    answer = client.as_key("cg_live_9_x").get("/v1/model")
    assert answer.json()["type"] == "/docs#too-many-tries"
    assert int(answer.headers["retry-after"]) >= 1
    assert client.get("/v1/model").status_code == 429, "a key never seen before waits with them"


def test_wrong_keys_at_the_desk_count_as_well(client):
    answers = [
        client.post(
            "/desk/sign-in",
            data={"key": "cg_live_1_x"},
            headers={"Origin": "http://localhost:8000"},
        )
        for _ in range(FREE_TRIES + 2)
    ]
    assert [one.status_code for one in answers] == [401] * (FREE_TRIES + 1) + [429]


def test_a_revoked_key_is_refused_by_every_worker_within_seconds(tmp_path, make_client):
    """F40: two workers on one store; each trusts a key for two seconds at most."""
    engine = open_database("sqlite:///shop.db", root=tmp_path)
    now = [0.0]
    shop = fake_shop(keys=SqlKeyStore(engine))
    key, text = create_key(shop, "crm", ["scores:read"])
    workers = []
    for _ in range(2):
        client = make_client(shop, key=text)
        client.app.state.keys = KeyRing(shop, monotonic=lambda: now[0])
        workers.append(client)
    assert [one.get("/v1/model").status_code for one in workers] == [200, 200]
    revoke_key(shop, key.key_id)
    now[0] = 2.0
    assert [one.get("/v1/model").status_code for one in workers] == [401, 401]
    engine.dispose()


def test_a_key_that_was_good_lately_goes_on_while_the_store_is_away(ring, now, away):
    """F7: for fifteen minutes after the last look, and not past its end; others are not let in."""
    shop = ring._shop
    key, text = create_key(shop, "crm", ["scores:read"])
    _, short = shop.keys.create("short", ["scores:read"], now=NOON, expires_at=NOON + MINUTE)
    _, unseen = create_key(shop, "unseen", ["scores:read"])
    revoked, gone = create_key(shop, "gone", ["scores:read"])
    for one in (text, short, gone):
        ring.check(one)
    revoke_key(shop, revoked.key_id)
    with pytest.raises(NotAuthenticated):
        ring.check(gone)

    away()
    now[0] = LATELY_SECONDS - 1
    assert ring.check(text) == key
    for one in (short, unseen, gone, text[:-1] + "x"):
        with pytest.raises(StoreUnavailable):
            ring.check(one)
    now[0] = LATELY_SECONDS
    with pytest.raises(StoreUnavailable):
        ring.check(text)


def test_last_use_is_written_down_now_and_then_and_not_in_a_request(make_client):
    shop = fake_shop()
    _, text = create_key(shop, "crm", ["scores:read"])
    app = create_app(shop, FakeChampion(), scorer=FakeScorer())
    ring = app.state.keys
    ring.check(text)
    assert shop.keys.keys()[0].last_used_at is None
    ring.step()
    assert shop.keys.keys()[0].last_used_at == NOON
    ring.step()


@pytest.mark.slow
def test_a_wrong_secret_takes_as_long_as_a_name_that_does_not_exist(tmp_path):
    """F41: the comparison is of digests in constant time, after the same look-up."""
    engine = open_database("sqlite:///shop.db", root=tmp_path)
    keys = SqlKeyStore(engine)
    key, text = keys.create("crm", ["scores:read"], now=NOON)
    almost = text[:-1] + ("0" if text[-1] != "0" else "1")
    tried = (almost, f"cg_live_{key.key_id}_{'0' * 64}", f"cg_live_{'0' * 16}_{'0' * 64}")
    times = {one: [] for one in tried}
    for _ in range(2000):
        for one in tried:
            begun = perf_counter()
            assert keys.verify(one, now=NOON) is None
            times[one].append(perf_counter() - begun)
    first, *rest = [median(times[one]) for one in tried]
    assert all(abs(one - first) < 0.2 * first for one in rest)
    engine.dispose()
