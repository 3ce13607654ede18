"""``/v1/webhooks``: as a stranger, wrongly, and rightly."""

from __future__ import annotations

import pytest

from churnguard.jobs.deliver import deliver_due
from churnguard.jobs.messages import message
from churnguard.jobs.webhook_signature import webhook_secret
from churnguard.project.layout import Layout
from churnguard.project.secrets import service_key
from churnguard.testing import NOON, FakeCourier, FakeReceipt, fake_shop

URL = "https://crm.example/hook"


@pytest.fixture
def shop(tmp_path):
    return fake_shop(root=tmp_path, courier=FakeCourier())


@pytest.fixture
def client(make_client, shop, new_key):
    return make_client(shop, key=new_key("webhooks:write"))


@pytest.fixture
def made(client):
    answer = client.post("/v1/webhooks", json={"url": URL, "events": ["risk.raised"]})
    assert answer.status_code == 200
    return answer.json()


def _tell(shop, *customers):
    told = [message("risk.raised", {}, now=NOON, customer_id=one) for one in customers]
    shop.outbox.put(told)
    return [one.message_id for one in told]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/webhooks"),
        ("POST", "/v1/webhooks"),
        ("GET", "/v1/webhooks/we_1"),
        ("DELETE", "/v1/webhooks/we_1"),
        ("POST", "/v1/webhooks/we_1/rotate"),
        ("POST", "/v1/webhooks/we_1/enable"),
        ("GET", "/v1/webhooks/we_1/deliveries"),
        ("POST", "/v1/webhooks/we_1/replay"),
    ],
)
def test_every_call_needs_its_scope(client, new_key, method, path):
    body = {"json": {"url": URL, "events": ["risk.raised"]}} if path.endswith("hooks") else {}
    if path.endswith("replay"):
        body = {"json": {}}
    options = body if method == "POST" else {}
    assert client.as_key(None).request(method, path, **options).status_code == 401
    other = client.as_key(new_key("scores:read", "actions:write"))
    assert other.request(method, path, **options).status_code == 403
    if "we_1" in path:
        missing = client.request(method, path, **options)
        assert missing.status_code == 404
        assert missing.json()["type"] == "/docs#webhook-not-found"


def test_the_secret_is_shown_once_and_stands_nowhere(client, shop, made):
    key = service_key(Layout(shop.root), {})
    assert made["secret"] == webhook_secret(key, made["webhook_id"], 1)
    assert made["secret"].startswith("whsec_")
    shown = client.get(f"/v1/webhooks/{made['webhook_id']}").json()
    assert "secret" not in shown
    assert client.get("/v1/webhooks").json() == {"webhooks": [shown]}
    rotated = client.post(f"/v1/webhooks/{made['webhook_id']}/rotate").json()
    assert rotated["secret_generation"] == 2
    assert rotated["secret"] not in ("", made["secret"])


def test_the_same_request_again_makes_one_endpoint_and_shows_the_same_secret(client):
    body, header = {"url": URL, "events": ["risk.raised"]}, {"Idempotency-Key": '"k1"'}
    first = client.post("/v1/webhooks", json=body, headers=header)
    again = client.post("/v1/webhooks", json=body, headers=header)
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(client.get("/v1/webhooks").json()["webhooks"]) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"url": "http://crm.example", "events": ["risk.raised"]}, 400),
        ({"url": URL, "events": []}, 422),
        ({"url": URL, "events": ["order.paid"]}, 422),
        ({"url": URL}, 422),
        ({"url": URL, "events": ["risk.raised"], "secret": "mine"}, 422),
        ({"url": "https://" + "a" * 3000, "events": ["risk.raised"]}, 422),
    ],
)
def test_endpoints_that_cannot_be_are_refused(client, body, status):
    assert client.post("/v1/webhooks", json=body).status_code == status
    assert client.get("/v1/webhooks").json() == {"webhooks": []}


def test_there_are_not_endlessly_many(client):
    body = {"url": URL, "events": ["risk.raised"]}
    codes = [client.post("/v1/webhooks", json=body).status_code for _ in range(21)]
    assert codes == [200] * 20 + [400]


def test_deliveries_are_listed_paged_and_replayed(client, shop, made):
    told = _tell(shop, "C1", "C2", "C3")
    where = f"/v1/webhooks/{made['webhook_id']}"
    first = client.get(f"{where}/deliveries?page_size=2").json()
    rest = client.get(f"{where}/deliveries?page_token={first['next_page_token']}").json()
    listed = [one["message_id"] for one in first["deliveries"] + rest["deliveries"]]
    assert listed == told[::-1]
    assert rest["next_page_token"] == ""
    shop.courier.answer = lambda _url, _body, _headers: FakeReceipt(410)
    deliver_due(shop)
    disabled = client.get(where).json()
    assert (disabled["disabled_reason"], disabled["disabled_at"] is None) == ("gone", False)
    assert client.post(f"{where}/replay", json={}).status_code == 400
    assert client.post(f"{where}/enable").json()["disabled_at"] is None
    shop.courier.answer = FakeCourier().answer
    one = client.post(f"{where}/replay", json={"message_ids": told[:1]})
    assert one.json() == {"replayed": 1}
    assert client.post(f"{where}/replay", json={}).json() == {"replayed": 2}
    assert dict(deliver_due(shop)) == {"delivered": 3}
    found = client.get(f"{where}/deliveries?state=delivered").json()["deliveries"]
    assert {(one["last_status"], one["state"], one["next_at"]) for one in found} == {
        (204, "delivered", None)
    }
    assert client.get(f"{where}/deliveries?page_size=-1").status_code == 400
    assert client.get(f"{where}/deliveries?page_token=x").status_code == 400
    assert client.get(f"{where}/deliveries?state=lost").status_code == 422


def test_a_removed_endpoint_is_not_sent_to(client, shop, made):
    _tell(shop, "C1")
    where = f"/v1/webhooks/{made['webhook_id']}"
    assert client.request("DELETE", where).json() == {
        "webhook_id": made["webhook_id"],
        "removed": True,
    }
    assert client.request("DELETE", where).status_code == 404
    assert dict(deliver_due(shop)) == {}
    assert shop.courier.sent == []


def test_what_is_done_to_endpoints_is_audited(client, shop, made):
    client.post(f"/v1/webhooks/{made['webhook_id']}/rotate")
    client.request("DELETE", f"/v1/webhooks/{made['webhook_id']}")
    actions = [entry.action for entry in shop.audit.entries(limit=10)]
    wanted = ["webhook.created", "webhook.rotated", "webhook.removed"]
    assert [one for one in actions if one.startswith("webhook.")] in (wanted, wanted[::-1])


def test_the_service_key_may_be_given(make_client, shop, new_key):
    from dataclasses import replace

    given = replace(shop, environ={"CHURNGUARD_SERVICE_KEY": "k" * 32})
    client = make_client(given, key=new_key("webhooks:write"))
    answer = client.post("/v1/webhooks", json={"url": URL, "events": ["risk.raised"]}).json()
    assert answer["secret"] == webhook_secret(b"k" * 32, answer["webhook_id"], 1)
    assert not Layout(shop.root).service_key.exists()


def test_the_types_of_message_are_in_the_description(client):
    described = client.app.openapi()
    assert set(described["webhooks"]) == {"risk.raised", "action.suggested", "subject.erased"}
    for route in described["webhooks"].values():
        reference = route["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        assert reference.rsplit("/", 1)[1] in described["components"]["schemas"]
