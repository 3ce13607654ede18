"""An id that was merged into a customer goes on answering: with the customer, by every door."""

from __future__ import annotations

import pytest
from small_model import NOW, customers_of

from churnguard.clock import iso
from churnguard.jobs.erase import erase
from churnguard.jobs.explain import explain
from churnguard.jobs.merge_customers import merge_customers
from churnguard.jobs.privacy import access_report, suppress

ALL = ("scores:read", "privacy:admin", "desk", "events:write")


@pytest.fixture
def client(real_client):
    return real_client(*ALL)


@pytest.fixture
def pair(real, request):
    """An alias, and a customer with events into whom it was merged."""
    shop, _ = real
    alias, customer = f"guest {request.node.name}"[:60], customers_of(shop)[0]
    (told,) = merge_customers(shop, [(alias, customer)], actor="test")
    assert told["status"] == "linked"
    return alias, customer


def without(score, *names):
    return {name: value for name, value in score.items() if name not in names}


def test_a_score_by_the_alias_is_the_customers_and_says_so(client, pair):
    alias, customer = pair
    options = {"params": {"as_of": iso(NOW), "explain": "true"}}
    asked = client.get(f"/v1/customers/{alias}/score", **options)
    straight = client.get(f"/v1/customers/{customer}/score", **options)
    assert asked.status_code == 200
    assert asked.json()["customer_id"] == customer
    assert asked.json() == straight.json()


def test_a_known_alias_that_is_merged_while_it_is_cached_answers_at_once(real, client):
    """The cache must not go on telling what the alias was before."""
    shop, _ = real
    first, second = customers_of(shop)[-2:]
    before = client.get(f"/v1/customers/{first}/score").json()
    assert before["customer_id"] == first
    merge_customers(shop, [(first, second)], actor="test")
    after = client.get(f"/v1/customers/{first}/score").json()
    assert after["customer_id"] == second


def test_many_at_once_answer_in_their_order(client, pair):
    alias, customer = pair
    items = [{"customer_id": name} for name in (alias, "nobody", customer, alias)]
    scores = client.post("/v1/scores", json={"items": items, "as_of": iso(NOW)}).json()["scores"]
    assert [score["customer_id"] for score in scores] == [customer, "nobody", customer, customer]
    assert [score["status"] == "unknown" for score in scores] == [False, True, False, False]
    assert scores[0] == scores[2] == scores[3]


def test_what_is_sent_along_under_the_alias_is_about_the_customer(client, pair):
    """An event sent along under either id stands beside those that the customer has."""
    alias, customer = pair
    event = {"event": "order_completed", "occurred_at": "2026-10-01", "value": 10, "event_id": "s"}
    items = [
        {"customer_id": alias, "events": [event]},
        {"customer_id": alias, "events": [event | {"customer_id": alias}]},
        {"customer_id": customer, "events": [event]},
        {"customer_id": alias, "features": {"days_since_order": 3.0}},
    ]
    answer = client.post("/v1/scores", json={"items": items, "as_of": iso(NOW)})
    assert answer.status_code == 200, answer.text
    scores = answer.json()["scores"]
    assert [score["customer_id"] for score in scores] == [customer] * 4
    assert scores[0] == scores[1] == scores[2]


def test_the_history_names_who_answers(client, pair):
    alias, customer = pair
    asked = client.get(f"/v1/customers/{alias}/history")
    assert asked.status_code == 200
    assert asked.json()["customer_id"] == customer
    assert client.get("/v1/customers/nobody/history").status_code == 404


def test_explain_tells_of_the_customer(real, pair):
    alias, customer = pair
    told = explain(real[0], alias, as_of=NOW)
    assert told.score.customer_id == customer
    assert told.events == explain(real[0], customer, as_of=NOW).events != []


def test_the_desk_leads_to_the_customer(real, pair, make_client):
    alias, customer = pair
    shop, holder = real
    desk = make_client(shop, champion=holder, open_desk=True)
    answer = desk.get(f"/desk/customers/{alias}?back=band%3Dhigh", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/desk/customers/{customer}?back=band%3Dhigh"


def test_whoever_is_merged_away_is_on_no_list(real, client, pair):
    alias, _ = pair
    rows = client.get("/v1/at-risk", params={"min_risk": 0}).json()["scores"]
    assert alias not in [row["customer_id"] for row in rows]


# -- rights: an id of a person is good for all of the person ------------------------------------


@pytest.fixture
def person(real, request):
    """Somebody with events, known under two ids, whom only this test touches."""
    shop, _ = real
    number = 2 + ["objects", "suppressed", "erased", "reported"].index(
        request.node.name.split("_")[-1]
    )
    alias, customer = f"guest-{number}", customers_of(shop)[number]
    merge_customers(shop, [(alias, customer)], actor="test")
    return alias, customer


def status(client, name):
    return client.get(f"/v1/customers/{name}/score").json()["status"]


def test_an_objection_by_the_alias_holds_for_the_customer_who_objects(client, person):
    alias, customer = person
    path = f"/v1/privacy/subjects/{alias}/objection"
    answer = client.post(path, json={"objected": True})
    assert answer.status_code == 200
    assert answer.json()["customer_id"] == customer
    assert (status(client, alias), status(client, customer)) == ("objected", "objected")
    assert client.post(path, json={"objected": False}).json()["objected_at"] is None
    assert status(client, customer) != "objected"


def test_a_list_of_objectors_may_hold_aliases_who_are_suppressed(real, client, person, tmp_path):
    alias, customer = person
    (tmp_path / "list.csv").write_text(f"customer_id\n{alias}\n{customer}\nstranger-1\n")
    told = suppress(real[0], tmp_path / "list.csv", actor="test")
    assert told == {"rows": 2, "objected": 2, "known": 0}
    assert status(client, customer) == "objected"


def test_an_erasure_by_the_alias_leaves_nothing_of_the_erased(real, client, person):
    shop, _ = real
    alias, customer = person
    receipt = erase(shop, alias, actor="test")
    assert receipt.state == "done"
    for name in (alias, customer):
        assert client.get(f"/v1/customers/{name}/score").status_code == 404
        assert erase(shop, name, actor="test").receipt_id == receipt.receipt_id
    assert not any(shop.privacy.about(customer).values())


def test_an_access_report_by_the_alias_has_all_that_is_reported(real, person):
    alias, customer = person
    shop, _ = real
    report = access_report(shop, alias, actor="test")
    assert report["customer_id"] == customer
    assert report["records"]["events"]
    assert [row["alias_id"] for row in report["records"]["aliases"]] == [alias]
