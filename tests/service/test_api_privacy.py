"""What people may ask about their own data, over HTTP."""

from __future__ import annotations

import pytest
from small_model import customers_of

from churnguard.jobs.keys import create_key
from churnguard.testing import build_events, build_score, fake_shop

PATH = "/v1/privacy/subjects/C1"


@pytest.fixture
def shop():
    return fake_shop(events=build_events([{"customer_id": "C1"}, {"customer_id": "a/b"}]))


@pytest.fixture
def officer(make_client, shop):
    return make_client(shop, key=create_key(shop, "officer", ["privacy:admin"])[1])


def test_without_the_scope_nobody_gets_in(make_client, shop):
    """A key made without naming scopes does not have this one."""
    client = make_client(shop, key=create_key(shop, "crm", None)[1])
    asked = [client.get(PATH), client.request("DELETE", PATH), client.post(f"{PATH}/objection")]
    assert [answer.status_code for answer in asked] == [403, 403, 403]
    assert make_client(shop).get(PATH).status_code == 401


def test_a_person_sees_what_is_stored_and_why(officer, shop):
    told = officer.get(PATH).json()
    assert [row["customer_id"] for row in told["records"]["events"]] == ["C1"]
    assert told["purpose"]
    assert (told["retention_days"]["customers"], told["retention_days"]["scores"]) == (None, 35)
    assert shop.audit.entries()[-1].action == "subject.accessed"


def test_an_objection_holds_at_once_and_can_be_taken_back(officer, shop):
    told = officer.post(f"{PATH}/objection", json={"objected": True}).json()
    assert told["objected_at"]
    assert shop.events.customers(["C1"])["opt_out_profiling"].to_pylist() == [True]
    assert shop.watch.restricted(["C1"]) == {"C1"}
    told = officer.post(f"{PATH}/objection", json={"objected": False}).json()
    assert told["objected_at"] is None
    assert shop.watch.restricted(["C1"]) == frozenset()


def test_a_restriction_stands_beside_an_objection(officer, shop):
    officer.post(f"{PATH}/objection", json={"objected": True})
    told = officer.post(f"{PATH}/restriction", json={"restricted": True}).json()
    assert told["objected_at"]
    assert told["restricted_at"]
    told = officer.post(f"{PATH}/objection", json={"objected": False}).json()
    assert (told["objected_at"], bool(told["restricted_at"])) == (None, True)


def test_an_erasure_answers_with_the_receipt_and_again_with_the_same(officer, shop):
    first = officer.request("DELETE", PATH)
    assert (first.status_code, first.json()["state"]) == (200, "done")
    assert first.json()["signature"]
    assert officer.request("DELETE", PATH).json() == first.json()
    assert officer.get(PATH).status_code == 404
    assert not shop.events.has_customer("C1")
    assert "C1" not in str([entry.subject for entry in shop.audit.entries()])


def test_an_id_may_hold_a_slash(officer):
    assert officer.post("/v1/privacy/subjects/a/b/objection", json={}).status_code == 200
    assert officer.request("DELETE", "/v1/privacy/subjects/a/b").status_code == 200


def test_a_link_with_an_erased_person_is_told_as_such(make_client, officer, shop):
    """It is no conflict: nobody else has the id."""
    assert officer.request("DELETE", "/v1/privacy/subjects/C1").status_code == 200
    key = create_key(shop, "crm", ["events:write"])[1]
    call = {"type": "identify", "userId": "C1", "anonymousId": "guest-7", "messageId": "m1"}
    told = make_client(shop, key=key).post("/v1/events", json=call).json()
    assert (told["quarantined"], told["reasons"]) == (1, {"erased_customer": 1})


def test_nobody_is_erased_who_was_never_here(officer):
    answer = officer.request("DELETE", "/v1/privacy/subjects/nobody")
    assert (answer.status_code, answer.json()["type"]) == (404, "/docs#customer-not-found")


def test_who_objects_is_on_no_list_from_then_on(make_client):
    """The newest batch was made before; what it said of the person is not told after."""
    shop = fake_shop([build_score("C1"), build_score("C2")])
    client = make_client(shop, key=create_key(shop, "officer", ["privacy:admin", "scores:read"])[1])
    client.post(f"{PATH}/objection", json={"objected": True})
    listed = client.get("/v1/at-risk").json()
    assert [score["customer_id"] for score in listed["scores"]] == ["C2"]
    assert listed["total_size"] == 1
    client.post(f"{PATH}/objection", json={"objected": False})
    assert client.get("/v1/at-risk").json()["total_size"] == 2


def test_the_access_report_of_a_real_store_is_json(real, real_client):
    """Names of SQL columns are no plain text, and were once taken for keys of an object."""
    shop, _ = real
    customer = customers_of(shop)[0]
    told = real_client("privacy:admin").get(f"/v1/privacy/subjects/{customer}")
    assert told.status_code == 200
    assert {row["customer_id"] for row in told.json()["records"]["events"]} == {customer}
