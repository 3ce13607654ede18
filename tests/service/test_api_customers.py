"""``GET /v1/customers/{id}`` and its timeline: the shop's own log and book, and nothing more."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pytest

from churnguard.clock import iso
from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.testing import NOON, build_events, fake_shop

HOUR = timedelta(hours=1)


@pytest.fixture
def shop(tmp_path):
    rows = [
        {"customer_id": "C/1", "event_id": f"e{number}", "occurred_at": NOON - number * HOUR}
        for number in range(5)
    ]
    rows[0] |= {"event": "signed_in", "value": None, "properties": '{"device": "phone"}'}
    return fake_shop(root=tmp_path, events=build_events([*rows, {"customer_id": "other"}]))


@pytest.fixture
def client(make_client, shop, new_key):
    return make_client(shop, key=new_key("customers:read"))


def test_a_profile_tells_the_book_and_counts_events(client, shop):
    told = client.get("/v1/customers/C%2F1").json()
    assert told["events"] == {"order_completed": 4, "signed_in": 1}
    assert (told["first_event_at"], told["last_event_at"]) == (iso(NOON - 4 * HOUR), iso(NOON))
    assert told["book"] is None
    row = {"customer_id": "C/1", "created_at": NOON - 9 * HOUR, "consent_email": True}
    shop.events.put_customers(pa.Table.from_pylist([row], CUSTOMER_SCHEMA))
    book = client.get("/v1/customers/C%2F1").json()["book"]
    assert (book["created_at"], book["consent_email"]) == (iso(NOON - 9 * HOUR), True)
    assert book["consent_sms"] is None


def test_a_timeline_is_paged_from_the_newest(client, shop):
    """What comes in between two pages neither repeats an event nor leaves one out."""
    first = client.get("/v1/customers/C%2F1/timeline?page_size=2").json()
    assert [one["event_id"] for one in first["events"]] == ["e0", "e1"]
    assert first["events"][0]["properties"] == {"device": "phone"}
    assert "value" not in first["events"][0]
    assert "customer_id" not in first["events"][0]
    late = {"customer_id": "C/1", "event_id": "new", "occurred_at": NOON + HOUR}
    shop.events.append(build_events([late]))
    told, token = [], first["next_page_token"]
    while token:
        page = client.get(f"/v1/customers/C%2F1/timeline?page_size=2&page_token={token}").json()
        told += [one["event_id"] for one in page["events"]]
        token = page["next_page_token"]
    assert told == ["e2", "e3", "e4"]


@pytest.mark.parametrize("token", ["0", "6", "x", "-1"])
def test_a_token_that_nobody_handed_out_is_refused(client, token):
    answer = client.get(f"/v1/customers/C%2F1/timeline?page_token={token}")
    assert (answer.status_code, answer.json()["type"]) == (400, "/docs#invalid-request")


def test_a_stranger_is_not_found(client):
    for path in ("/v1/customers/nobody", "/v1/customers/nobody/timeline"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["type"]) == (404, "/docs#customer-not-found")


def test_it_takes_a_scope_of_its_own(make_client, shop, new_key):
    client = make_client(shop, key=new_key("scores:read"))
    assert client.get("/v1/customers/C%2F1").status_code == 403
    assert client.get("/v1/customers/C%2F1/timeline").status_code == 403


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("page_sise=5", "There is no such parameter."),
        ("page_size=5&page_size=6", "It is said twice."),
    ],
)
def test_a_parameter_is_known_and_said_once(client, query, why):
    """One that was passed over in silence would be one that its sender relies on."""
    answer = client.get(f"/v1/customers/C%2F1/timeline?{query}")
    name = query.partition("=")[0]
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"detail": why, "pointer": f"#/query/{name}"}]
