"""``POST /v1/events``, the quarantine and merged ids, asked rightly, wrongly and as a stranger."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from churnguard.testing import NOON

AT = "2026-11-20T10:00:00Z"
COUNTS = ("rows", "accepted", "duplicates", "conflicts", "quarantined", "linked", "ignored")


def event(number: int = 1, **changes: Any) -> dict[str, Any]:
    said = {"event_id": f"e{number}", "customer_id": "C1", "event": "signed_in", "occurred_at": AT}
    return said | changes


@pytest.fixture
def sender(make_client, shop, new_key):
    return make_client(shop, key=new_key("events:write", "events:backfill"))


def send(client, body, **options):
    return client.post("/v1/events", json=body, **options)


def counts(answered):
    assert answered.status_code == 202, answered.text
    told = answered.json()
    assert told["rows"] == sum(told[name] for name in COUNTS[1:])
    assert len(told["results"]) == told["rows"]
    return tuple(told[name] for name in COUNTS)


def stored(shop, customer="C1"):
    return shop.events.events_of([customer]).to_pylist()


@pytest.mark.parametrize("wrap", [lambda e: e, lambda e: [e], lambda e: {"events": [e]}])
def test_one_event_or_many(sender, shop, wrap):
    """An object, a list, or a list under ``events``; received when it came, by our clock."""
    assert counts(send(sender, wrap(event(received_at=AT, clock="assumed"))))[:2] == (1, 1)
    (row,) = stored(shop)
    assert (row["received_at"], row["clock"]) == (NOON, "true")
    assert counts(send(sender, []))[0] == 0


def test_each_message_is_told_what_became_of_it(sender):
    """In the words of ``churnguard ingest``, which add up; unknown fields are named."""
    send(sender, event())
    told = send(
        sender, [event(), event(customer_id="C2"), event(2, foo=1), event(3, occurred_at="x"), 7]
    )
    assert counts(told) == (5, 1, 1, 1, 2, 0, 0)
    body = told.json()
    assert [result["status"] for result in body["results"]] == [
        "duplicate", "conflict", "accepted", "quarantined", "quarantined",
    ]  # fmt: skip
    assert body["reasons"] == {"bad_time": 1, "broken_row": 1}
    assert body["ignored_fields"] == ["foo"]
    assert body["results"][3]["row_id"]


def test_sending_again_changes_nothing(sender, shop):
    """Neither in the log nor in the quarantine, however the messages are put together."""
    batch = [event(), event(2, customer_id=""), event(3, value=-1), "x"]
    first = counts(send(sender, batch))
    assert first == (4, 1, 0, 0, 3, 0, 0)
    send(sender, batch[::-1])
    for one in batch:
        send(sender, [one])
    assert shop.events.history().num_rows == 1
    assert sum(shop.events.quarantine_counts().values()) == 3


def test_atomic_is_all_or_nothing(sender, shop):
    """Neither the good ones nor a dead letter are kept; the answer names the bad ones."""
    bad = [event(), event(2, occurred_at="soon")]
    answered = send(sender, bad, params={"atomic": True})
    assert answered.status_code == 422
    assert answered.json()["errors"] == [
        {"detail": "occurred_at cannot be read as a time.", "pointer": "#/1"}
    ]
    assert not stored(shop)
    assert not shop.events.quarantine_counts()
    assert counts(send(sender, [event(), event(2)], params={"atomic": True}))[1] == 2
    other = [event(3), event(1, kind="x")]
    assert send(sender, other, params={"atomic": True}).status_code == 422
    assert len(stored(shop)) == 2
    assert not shop.events.conflicts()


def test_the_past_is_sent_with_its_own_scope(sender, shop, new_key):
    """Received as they say, or as the known lag says: an assumed clock."""
    past = [event(1, occurred_at="2020-01-01"), event(2, received_at="2026-11-20T11:00:00Z")]
    assert counts(send(sender, past, params={"backfill": True}))[1] == 2
    old, new = stored(shop)
    assert (old["clock"], old["received_at"]) == ("assumed", old["occurred_at"])
    assert (new["clock"], new["received_at"].hour) == ("true", 11)
    plain = sender.as_key(new_key("events:write"))
    refused = send(plain, past, params={"backfill": True})
    assert refused.status_code == 403
    assert send(plain.as_key(new_key("scores:read")), event()).status_code == 403
    assert send(plain.as_key(None), event()).status_code == 401


def test_segment_calls_become_events_lines_and_links(sender, shop):
    products = [{"product_id": "P", "price": 12.5, "quantity": 2}, {"sku": "Q", "price": 5}]
    calls = [
        {"type": "track", "messageId": "m1", "anonymousId": "a1", "event": "Order Completed",
         "timestamp": AT, "properties": {"order_id": "7", "total": 30, "products": products}},
        {"type": "identify", "anonymousId": "a1", "userId": "C1", "traits": {"email": "d@e.fr"}},
        {"type": "identify", "anonymousId": "a1", "userId": "C2"},
        {"type": "identify", "userId": "C1"},
        {"type": "page", "messageId": "m2", "userId": "C1", "timestamp": AT, "name": "Home",
         "properties": {"url": "https://shop/?mail=d@e.fr"}},
        {"type": "group", "groupId": "g", "userId": "C1"},
        {"type": "nonsense"},
    ]  # fmt: skip
    assert counts(send(sender, {"batch": calls})) == (7, 2, 0, 1, 1, 1, 2)
    rows = {row["event_id"]: row for row in stored(shop)}
    assert list(rows) == ["m1", "m1#1", "m1#2", "m2"]
    order, first, second = rows["m1"], rows["m1#1"], rows["m1#2"]
    assert (order["event"], order["value"], order["quantity"]) == ("order_completed", 30.0, 3)
    assert (first["event"], first["value"], first["product_id"]) == ("product_ordered", 25.0, "P")
    assert (second["quantity"], second["value"], second["order_id"]) == (1, 5.0, "7")
    assert rows["m2"]["event"] == "page_viewed"
    assert "d@e.fr" not in str(list(rows.values()))


CLOUD = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "com.shop.order_completed.v1",
         "subject": "C1", "time": AT}  # fmt: skip


@pytest.mark.parametrize("mode", ["binary", "structured", "batch"])
def test_cloud_events_in_their_three_modes(sender, shop, mode):
    """Source and id together are the event's id; attributes stand for what data leaves out."""
    data = {"value": 5}
    if mode == "binary":
        headers = {f"ce-{name}": value for name, value in CLOUD.items()}
        answered = send(sender, data, headers=headers)
    else:
        body = CLOUD | {"data": data}
        kind = "application/cloudevents+json"
        if mode == "batch":
            kind, body = "application/cloudevents-batch+json", [body]
        headers = {"content-type": kind}
        answered = sender.post("/v1/events", content=orjson.dumps(body), headers=headers)
    assert counts(answered)[1] == 1
    (row,) = stored(shop)
    assert (row["event_id"], row["event"], row["value"]) == ("/shop/7", "order_completed", 5.0)


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"", {}, 422),
        (b"{", {}, 422),
        (b"7", {}, 422),
        (b'{"value": NaN}', {}, 422),
        (b'{"value": -Infinity}', {}, 422),
        (b'{"value": 1e400}', {}, 422),
        (b'{"event": "\\ud800"}', {}, 422),
        (b'{"event": "a", "event": "b"}', {}, 422),
        (b'{"properties": {"a": 1, "a" : 2}}', {}, 422),
        (b"[" * 100_000, {}, 422),
        (b"\xff", {}, 422),
        (b"[" + b"{}," * 1_000 + b"{}]", {}, 413),
        (b"a=1", {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b"\x1f\x8b", {"content-encoding": "gzip"}, 415),
    ],
)
def test_bodies_that_are_none_are_refused_as_problems(sender, shop, content, headers, status):
    """F22: and nothing of them is kept."""
    answered = sender.post(
        "/v1/events", content=content, headers={"content-type": "application/json"} | headers
    )
    assert answered.status_code == status
    assert answered.headers["content-type"] == "application/problem+json"
    assert shop.events.history().num_rows == 0
    assert not shop.events.quarantine_counts()


def test_control_characters_are_no_part_of_an_id(sender):
    """F22: a NUL goes into no store; it is told, not repaired."""
    told = send(sender, [event(customer_id="A\0"), event(2, kind="a\0"), event(3, order_id="a\nb")])
    assert told.json()["reasons"] == {"bad_text": 3}


@pytest.mark.parametrize(
    ("odd", "detail"),
    [
        (event(customer_id=["C1"]), "customer_id is neither text nor a number."),
        (event(event_id=True), "event_id is neither text nor a number."),
        ({"type": [], "userId": "C1"}, "There is no Segment call '[]'."),
        ({"type": "trakc", "userId": "C1", "event": "x"}, "There is no Segment call 'trakc'."),
        ({"type": ["x"]}, "The row names no customer."),
        (
            {"type": "track", "userId": {}, "event": "Signed In", "timestamp": AT},
            "customer_id is neither text nor a number.",
        ),
        (
            {"type": "track", "userId": "C1", "event": ["x"], "timestamp": AT},
            "The event's name is not written in snake_case.",
        ),
    ],
)
def test_a_message_of_odd_shape_is_one_dead_letter(sender, shop, odd, detail):
    """It stops no other, and makes no customer of its own."""
    told = send(sender, [odd, event(2)])
    assert counts(told)[1] == 1
    assert (told.json()["results"][0]["status"], told.json()["results"][0]["detail"]) == (
        "quarantined",
        detail,
    )
    assert len(stored(shop)) == 1


@pytest.mark.parametrize("name", ["events", "batch"])
def test_a_list_that_is_none_is_told_as_one(sender, shop, name):
    """It is not an event without a customer."""
    assert send(sender, {name: {}}).json()["detail"] == f"'{name}' is no list."
    assert counts(send(sender, event() | {name: 7}))[1] == 1


def test_an_idempotency_key_gives_the_same_answer_again(sender):
    """Optional: without one the second answer says ``duplicate``."""
    headers = {"Idempotency-Key": '"k1"'}
    first = send(sender, event(), headers=headers)
    again = send(sender, event(), headers=headers)
    assert counts(first) == counts(again)
    assert again.headers["Idempotent-Replayed"] == "true"


def test_the_quarantine_is_listed_in_pages_and_mended(sender, shop):
    send(sender, [event(n, customer_id=None) for n in range(5)] + [event(9, value="x")])
    first = sender.get("/v1/quarantine", params={"page_size": 4}).json()
    assert first["counts"] == {"missing_customer": 5, "bad_number": 1}
    token = first["next_page_token"]
    rest = sender.get("/v1/quarantine", params={"page_size": 4, "page_token": token}).json()
    assert (len(first["rows"]), len(rest["rows"]), rest["next_page_token"]) == (4, 2, "")
    row = first["rows"][0]
    path = f"/v1/quarantine/{row['row_id']}/replay"
    assert row["payload"] == event(0, customer_id=None)
    still = sender.post(path, json={"payload": {"customer_id": "a@b.com"}}).json()
    assert (still["status"], still["reason"]) == ("quarantined", "personal_data")
    mended = sender.post(path, json={"payload": {"customer_id": "C1"}})
    assert mended.json()["status"] == "accepted"
    (there,) = stored(shop)
    assert (there["received_at"], there["clock"]) == (NOON, "true")
    assert sender.post(path, json={}).status_code == 404
    by_reason = sender.get("/v1/quarantine", params={"reason": "bad_number"}).json()
    assert [row["payload"]["value"] for row in by_reason["rows"]] == ["x"]
    wrong = sender.get("/v1/quarantine", params={"page_token": token, "reason": "bad_number"})
    assert wrong.status_code == 400
    assert sender.get("/v1/quarantine", params={"page_size": -1}).status_code == 400


def test_a_message_that_is_none_can_be_mended_into_one(sender, shop):
    send(sender, ["what"])
    (row,) = sender.get("/v1/quarantine").json()["rows"]
    path = f"/v1/quarantine/{row['row_id']}/replay"
    assert sender.post(path, json={"payload": {"event": "x"}}).json()["status"] == "quarantined"
    assert sender.post(path, json={"payload": event()}).json()["status"] == "accepted"
    assert len(stored(shop)) == 1


def test_ids_are_merged_once_and_for_good(sender, shop):
    send(sender, [event(1, customer_id="guest"), event(2, customer_id="C1")])
    ask = {"links": [{"alias_id": "guest", "customer_id": "C1"}]}
    assert sender.post("/v1/identities", json=ask).json()["links"][0]["status"] == "linked"
    assert sender.post("/v1/identities", json=ask).json()["links"][0]["status"] == "duplicate"
    ask["links"][0]["customer_id"] = "C2"
    assert sender.post("/v1/identities", json=ask).json()["links"][0]["status"] == "conflict"
    assert counts(send(sender, event(1, customer_id="guest")))[2] == 1
    assert [row["event_id"] for row in stored(shop)] == ["e1", "e2"]
    ask["links"][0]["alias_id"] = "C2"
    assert sender.post("/v1/identities", json=ask).status_code == 400
    ask["links"][0]["alias_id"] = "dana@example.com"
    assert sender.post("/v1/identities", json=ask).status_code == 400
