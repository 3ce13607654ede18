"""F42, API1, API5: on every route a key reaches its own shop only, and only what its scopes allow.

The routes are those of the OpenAPI document, so a new one is tried as soon as there is one.
"""

from __future__ import annotations

import re

import pytest

from churnguard.jobs.keys import SCOPES
from churnguard.serving import create_app
from churnguard.testing import NOON, FakeChampion, FakeScorer, build_score, fake_shop

OPEN = {"/livez", "/readyz"}
NEEDED = {
    "GET /metrics": "metrics:read",
    "POST /v1/events": "events:write",
    "OPTIONS /v1/events": "events:write",
    "GET /v1/quarantine": "events:write",
    "POST /v1/quarantine/{row_id}/replay": "events:write",
    "POST /v1/identities": "events:write",
    "GET /v1/customers/{customer_id}/score": "scores:read",
    "GET /v1/customers/{customer_id}/history": "scores:read",
    "GET /v1/customers/{customer_id}/timeline": "customers:read",
    "GET /v1/customers/{customer_id}": "customers:read",
    "POST /v1/scores": "scores:read",
    "GET /v1/at-risk": "scores:read",
    "GET /v1/model": "scores:read",
    "POST /v1/actions/{decision_id}/outcome": "actions:write",
}
"""Which scope a route needs; routes under these need the scope behind them."""
UNDER = {"/v1/webhooks": "webhooks:write", "/v1/privacy": "privacy:admin"}


def described():
    app = create_app(fake_shop(), FakeChampion(), scorer=FakeScorer())
    return app.openapi()["paths"]


ROUTES = [
    (method.upper(), path)
    for path, operations in described().items()
    for method in operations
    if path not in OPEN
]


def needed(method, path):
    """Return the scope that a route needs."""
    under = next((scope for start, scope in UNDER.items() if path.startswith(start)), None)
    return under or NEEDED[f"{method} {path}"]


def shop_of(name):
    """Return a shop whose every id carries its name."""
    scores = [build_score(f"{name}-{n}") for n in range(3)]
    shop = fake_shop(scores)
    webhook, row = _webhook(shop, name), f"{name}-row"
    ids = {
        "customer_id": f"{name}-1",
        "decision_id": f"d-{name}-1",
        "webhook_id": webhook,
        "row_id": row,
        "subject_id": f"{name}-1",
    }
    return shop, scores, ids


def _webhook(shop, name):
    """Make an endpoint; a shop in memory numbers them, so the other shop has more."""
    for _ in range(name == "olive"):
        shop.outbox.add_endpoint("https://first.example", ["risk.raised"], description="", now=NOON)
    made = shop.outbox.add_endpoint(
        f"https://{name}.example/hook", ["risk.raised"], description=name, now=NOON
    )
    return made.endpoint_id


OF_ANYBODY = {
    "/v1/privacy/subjects/{customer_id}/objection",
    "/v1/privacy/subjects/{customer_id}/restriction",
}
"""Writes that are taken for people of whom nothing is known yet."""

BODIES = {
    "/v1/actions/{decision_id}/outcome": {"outcome": "contacted"},
    "/v1/webhooks/{webhook_id}/replay": {},
    "/v1/scores": {"items": [{"customer_id": "olive-1"}]},
}


def ask(client, method, path, ids):
    url = re.sub(r"\{(\w+)(?::path)?\}", lambda found: ids.get(found[1], "x"), path)
    body = {"json": BODIES.get(path, {})} if method in ("POST", "PUT", "PATCH") else {}
    headers = {"Idempotency-Key": f'"{method} {url}"'}
    return client.request(method, url, headers=headers, **body)


@pytest.fixture
def shops(make_client):
    """Give clients of two shops, each with a key of its own for everything, and their ids."""
    made = []
    for name in ("thyme", "olive"):
        shop, scores, ids = shop_of(name)
        key = shop.keys.create(name, tuple(SCOPES), now=NOON)[1]
        client = make_client(shop, key=key, scorer=FakeScorer(scores))
        made.append((client, ids, key))
    return made


@pytest.fixture
def together(make_many):
    """Give a client of two shops behind one address with the first one's key, and both's ids."""
    made = [shop_of(name) for name in ("thyme", "olive")]
    key = made[0][0].keys.create("thyme", tuple(SCOPES), now=NOON)[1]
    client = make_many(*(shop for shop, _, _ in made), key=key)
    return client, *(ids for _, _, ids in made)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_key_of_one_shop_opens_nothing_of_one_that_is_served_beside_it(together, method, path):
    """The same where one process has both: the first shop's key, the other one's ids."""
    client, _, theirs = together
    hold_nothing_of_theirs(client, theirs, method, path)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_key_of_one_shop_opens_nothing_of_another(shops, method, path):
    """With A's key and B's ids: not found, in the same words as for an id that nobody has."""
    (client, _, _), (_, theirs, _) = shops
    hold_nothing_of_theirs(client, theirs, method, path)


def hold_nothing_of_theirs(client, theirs, method, path):
    """Hold that ids of another shop are answered as those that nobody has."""
    nobody = dict.fromkeys(theirs, "nobody")
    found, missing = (ask(client, method, path, ids) for ids in (theirs, nobody))
    if "{" in path:
        assert found.status_code == missing.status_code
        refused = (200,) if path in OF_ANYBODY else (404, 409, 422)
        assert found.status_code in refused, found.text
        if path in OF_ANYBODY:
            return
        told, untold = found.json(), missing.json()
        for member in ("detail", "title", "hint", "type"):
            assert told.get(member) == untold.get(member)
    elif method == "GET":
        assert "olive" not in found.text


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_the_other_shops_key_is_no_key(shops, method, path):
    (client, ours, _), (_, _, their_key) = shops
    assert ask(client.as_key(their_key), method, path, ours).status_code == 401


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_route_is_open_to_its_scope_and_to_no_other(make_client, method, path):
    """Every scope alone: one lets in, all others are refused and told which one it takes."""
    shop, scores, ids = shop_of("thyme")
    client, wanted = make_client(shop, scorer=FakeScorer(scores)), needed(method, path)
    for scope in SCOPES:
        key = shop.keys.create(scope, [scope], now=NOON)[1]
        answer = ask(client.as_key(key), method, path, ids)
        if scope == wanted:
            assert answer.status_code not in (401, 403), scope
        else:
            assert answer.status_code == 403, scope
            assert f'scope="{wanted}"' in answer.headers["www-authenticate"]
