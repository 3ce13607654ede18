"""CloudEvents' handshake: who holds a key that may send events is told so, and how fast."""

from __future__ import annotations

import pytest

from churnguard.project.settings import Settings
from churnguard.testing import NOON, fake_shop

ASKS = {"WebHook-Request-Origin": "events.shop.example"}


def sender(make_client, **settings):
    shop = fake_shop(settings=Settings(name="Olive", currency="ILS", timezone="UTC", **settings))
    return make_client(shop, key=shop.keys.create("test", ["events:write"], now=NOON)[1])


def test_whoever_may_send_events_is_told_so_and_how_fast(make_client):
    answer = sender(make_client, events_per_minute=1200).request(
        "OPTIONS", "/v1/events", headers=ASKS | {"WebHook-Request-Rate": "120"}
    )
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["webhook-allowed-origin"] == "events.shop.example"
    assert answer.headers["webhook-allowed-rate"] == "1200"
    assert answer.headers["allow"] == "OPTIONS, POST"


def test_without_a_quota_the_rate_is_without_limit(make_client):
    answer = sender(make_client, events_per_minute=0).request("OPTIONS", "/v1/events", headers=ASKS)
    assert answer.headers["webhook-allowed-rate"] == "*"


@pytest.mark.parametrize(
    ("scopes", "headers", "status"),
    [(None, ASKS, 401), (["scores:read"], ASKS, 403), (["events:write"], {}, 422)],
)
def test_nobody_else_is_agreed_with(make_client, scopes, headers, status):
    shop = fake_shop()
    key = scopes and shop.keys.create("test", scopes, now=NOON)[1]
    answer = make_client(shop, key=key).request("OPTIONS", "/v1/events", headers=headers)
    assert answer.status_code == status
    assert "webhook-allowed-origin" not in answer.headers


def test_a_callback_is_never_called(make_client):
    """The grant is in the answer; an address from outside is not asked (API7)."""
    client = sender(make_client)
    callback = {"WebHook-Request-Callback": "http://127.0.0.1:9/grant"}
    answer = client.request("OPTIONS", "/v1/events", headers=ASKS | callback)
    assert answer.status_code == 200
    assert client.app.state.door.shop.courier.sent == []
