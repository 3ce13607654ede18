"""Several shops behind one address: the credential picks the shop, and nothing else is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from churnguard.errors import ProjectError, StoreUnavailable
from churnguard.project.settings import Settings
from churnguard.serving.failed_tries import FREE_TRIES
from churnguard.serving.many_shops import session_key_of
from churnguard.serving.shop_app import app_for_many
from churnguard.testing import NOON, build_score, fake_shop

ALL = ("scores:read", "actions:write", "desk")


def shop_of(name, customer_id):
    settings = Settings(name=name, currency="ILS", timezone="Asia/Jerusalem")
    return fake_shop([build_score(customer_id)], settings=settings)


@pytest.fixture
def shops():
    return shop_of("Almonds", "A1"), shop_of("Bread", "B1"), shop_of("Candles", "K1")


@pytest.fixture
def keys(shops):
    return [shop.keys.create("test", ALL, now=NOON)[1] for shop in shops]


@pytest.fixture
def client(make_many, shops):
    return make_many(*shops)


def at_risk(client):
    return [row["customer_id"] for row in client.get("/v1/at-risk").json()["scores"]]


def test_the_key_picks_the_shop(client, keys):
    """Whatever a route answers, it answers of the key's own shop."""
    seen = [at_risk(client.as_key(key)) for key in (*keys, *keys)]
    assert seen == [["A1"], ["B1"], ["K1"]] * 2


def test_a_customer_of_another_shop_is_nobody(client, keys):
    """By id, the answer is the one for somebody who does not exist."""
    first = client.as_key(keys[0])
    theirs, nobodys = (first.get(f"/v1/customers/{name}/score") for name in ("B1", "NOBODY"))
    assert theirs.status_code == nobodys.status_code
    same = [{**one.json(), "instance": "", "request_id": ""} for one in (theirs, nobodys)]
    assert str(same[0]).replace("B1", "NOBODY") == str(same[1])


def test_who_has_no_good_key_is_refused_alike(client, keys, shops):
    """No key, a made-up one, another secret with a known id, a revoked one: 401, and no name."""
    known_id = keys[1].removeprefix("cg_live_").partition("_")[0]
    shops[2].keys.revoke(keys[2].removeprefix("cg_live_").partition("_")[0], now=NOON)
    for text in (None, "cg_live_x_y", f"cg_live_{known_id}_{'0' * 64}", keys[2], "nonsense"):
        answer = client.as_key(text).get("/v1/at-risk")
        assert answer.status_code == 401
        assert not any(shop.settings.name in answer.text for shop in shops)


def test_every_shop_is_asked_in_the_same_way(client, keys, shops, monkeypatch):
    """A key that is wrong costs the same look-ups whether its id is known to one or to none."""
    asked = []
    for shop in shops:
        real = shop.keys.verify
        monkeypatch.setattr(
            shop.keys,
            "verify",
            lambda text, *, now, real=real, name=shop.settings.name: (
                asked.append(name),
                real(text, now=now),
            )[1],
        )
    counts = []
    known_id = keys[1].removeprefix("cg_live_").partition("_")[0]
    for text in ("cg_live_ffff_" + "0" * 64, f"cg_live_{known_id}_{'0' * 64}"):
        asked.clear()
        client.as_key(text).get("/v1/at-risk")
        counts.append(list(asked))
    assert counts[0] == counts[1]
    assert counts[0][:3] == ["Almonds", "Bread", "Candles"]


@pytest.fixture
def look_ups(shops, monkeypatch):
    """Every look-up of a key in a shop's store."""
    seen = []
    for shop in shops:
        real = shop.keys.verify

        def verify(text, *, now, real=real, name=shop.settings.name):
            seen.append(name)
            return real(text, now=now)

        monkeypatch.setattr(shop.keys, "verify", verify)
    return seen


def test_a_flood_of_wrong_keys_costs_few_look_ups_and_locks_no_good_key_out(client, keys, look_ups):
    """After the free tries nothing is looked up for a wrong key, in no shop, until the wait ends.

    Good keys that were used lately are looked at all the same, from the same address.
    """
    for key in keys:
        assert client.as_key(key).get("/v1/at-risk").status_code == 200
    look_ups.clear()
    told = [
        client.as_key(f"cg_live_{number:04x}_{'0' * 64}").get("/v1/at-risk").status_code
        for number in range(200)
    ]
    assert told[: FREE_TRIES + 1] == [401] * (FREE_TRIES + 1)
    waited = told.count(429)
    assert waited > 150
    assert len(look_ups) <= (200 - waited) * (len(keys) + 1)
    for app in client.app.apps:
        app.state.keys._trusted.clear()  # as after two seconds
    look_ups.clear()
    assert [at_risk(client.as_key(key)) for key in keys] == [["A1"], ["B1"], ["K1"]]
    assert len(look_ups) == 2 * len(keys), "a good key is looked up where it was good, and there"


def test_wrong_keys_at_the_sign_in_form_count_with_the_others(client, look_ups):
    headers = {"Origin": "http://localhost:8000"}
    for _ in range(FREE_TRIES + 1):
        client.as_key("cg_live_0000_x").get("/v1/at-risk")
    look_ups.clear()
    answer = client.post("/desk/sign-in", data={"key": "cg_live_0001_x"}, headers=headers)
    assert answer.status_code == 429
    assert look_ups == []


def test_a_shop_whose_store_is_away_does_not_take_the_others_along(
    client, keys, shops, monkeypatch
):
    """Others answer; of a key that may be its own, nothing is said but 'try again'."""

    def away(*_args, **_kwargs):
        raise StoreUnavailable("The store is away.")

    assert at_risk(client.as_key(keys[1])) == ["B1"]
    monkeypatch.setattr(shops[0].keys, "verify", away)
    assert at_risk(client.as_key(keys[2])) == ["K1"]
    answer = client.as_key(keys[0]).get("/v1/at-risk")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


def test_a_key_that_was_good_lately_finds_its_shop_while_its_store_is_away(
    client, keys, shops, monkeypatch
):
    """So that the shop can say what it still knows; others' keys find nothing there."""

    def away(*_args, **_kwargs):
        raise StoreUnavailable("The store is away.")

    assert at_risk(client.as_key(keys[0])) == ["A1"]
    monkeypatch.setattr(shops[0].keys, "verify", away)
    for _ in range(2):
        for app in client.app.apps:
            app.state.keys._trusted.clear()  # as after two seconds
        assert at_risk(client.as_key(keys[0])) == ["A1"]


def test_the_desk_is_the_shop_of_who_signed_in(client, keys):
    """The form's key decides, then the cookie; a stranger is told of no shop."""
    page = client.get("/desk/sign-in")
    assert page.status_code == 200
    assert "Almonds" not in page.text
    headers = {"Origin": "http://localhost:8000"}
    wrong = client.post("/desk/sign-in", data={"key": "cg_live_x_y"}, headers=headers)
    assert wrong.status_code == 401
    signed = client.post("/desk/sign-in", data={"key": keys[1]}, headers=headers)
    assert signed.status_code == 303
    desk = client.get("/desk")
    assert "Bread" in desk.text
    assert "B1" in desk.text
    assert "A1" not in desk.text
    assert client.get("/desk/customers/A1").status_code == 404


@pytest.mark.parametrize("body", [b"key=" + b"x" * 40_000, b"", b"\xff\xfe=%zz&key"])
def test_a_strange_sign_in_form_is_answered(client, body):
    headers = {
        "Origin": "http://localhost:8000",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    answer = client.post("/desk/sign-in", content=body, headers=headers)
    assert 400 <= answer.status_code < 500


def test_no_shop_opens_the_cookies_of_another():
    """Even where all processes share one session key."""
    assert session_key_of("/a", b"k" * 32) != session_key_of("/b", b"k" * 32)
    assert session_key_of("/a", None) is None


def test_it_is_ready_while_one_shop_is(client, shops, monkeypatch):
    assert client.get("/readyz").json() == {"status": "ready", "shops": 3, "ready": 3}

    def down():
        raise StoreUnavailable("down")

    monkeypatch.setattr(shops[0].ledger, "champion", down)
    assert client.get("/readyz").json()["ready"] == 2
    for shop in shops[1:]:
        monkeypatch.setattr(shop.ledger, "champion", down)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert [item["what"] for item in answer.json()["missing"]] == ["store"]
    assert client.get("/livez").status_code == 200


def test_one_project_cannot_be_two_shops(tmp_path):
    """Neither the same folder twice, nor two folders on one store."""
    one = fake_shop(root=tmp_path)
    with pytest.raises(ProjectError, match="are one"):
        app_for_many([one, one])
    shared = Settings(store="postgresql+psycopg://u:secret@db/shops?schema=a")
    pair = [fake_shop(root=Path(name), settings=shared) for name in ("/a", "/b")]
    with pytest.raises(ProjectError, match="are one") as caught:
        app_for_many(pair)
    assert "secret" not in str(caught.value)
