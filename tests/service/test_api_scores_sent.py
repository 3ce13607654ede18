"""Scores of what is sent along: real signals, a real model, nothing kept."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from small_model import NOW, customers_of

from churnguard.clock import iso
from churnguard.errors import StoreUnavailable
from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.events.sorting import _sort_one_bucket as sort_in_one_call
from churnguard.events.timeline import Timeline
from churnguard.jobs.decisions import DecisionKeeper
from churnguard.jobs.scoring_context import feature_rows
from churnguard.serving.scores.schemas import MOST_ITEMS
from churnguard.testing import NOON, FakeScoreStore, build_score

KEPT = ("event_id", "event", "occurred_at", "value", "quantity", "order_id", "product_id")


@pytest.fixture
def client(real_client):
    """Ask with a key that may read scores."""
    return real_client("scores:read")


def scored(client, *items, **body):
    answer = client.post("/v1/scores", json={"items": list(items), "as_of": iso(NOW)} | body)
    assert answer.status_code == 200, answer.text
    return answer.json()["scores"]


def events_of(shop, who):
    """Return a customer's events as a caller would send them."""
    rows = shop.events.events_of([who]).to_pylist()
    return [
        {name: row[name] for name in KEPT if row[name] is not None}
        | {"occurred_at": iso(row["occurred_at"])}
        for row in rows
    ]


def test_events_sent_along_count_as_if_they_were_stored(real, client):
    """The same events, stored or sent, give the same number to the last bit."""
    shop, _ = real
    for who in customers_of(shop):
        sent = {"customer_id": f"new-{who}", "events": events_of(shop, who)}
        for number, event in enumerate(sent["events"]):
            event["event_id"] = f"sent-{number}"
        stored, given = scored(client, {"customer_id": who}, sent)
        assert given["churn_risk"] == stored["churn_risk"]
        assert given["status"] == stored["status"]
        assert (stored["source"], given["source"]) == ("store", "events")


def test_events_that_the_shop_has_count_once(real, client):
    shop, _ = real
    who = customers_of(shop)[0]
    again = {"customer_id": who, "events": events_of(shop, who)}
    stored, given = scored(client, {"customer_id": who}, again)
    assert given["churn_risk"] == stored["churn_risk"]


def test_an_event_sent_along_moves_the_score_and_is_not_kept(real, client):
    shop, _ = real
    who = next(one for one in customers_of(shop) if number_of(client, one) is not None)
    before, events = number_of(client, who), shop.events.history().num_rows
    order = {"event": "order_completed", "occurred_at": iso(NOW - timedelta(hours=1)), "value": 80}
    (given,) = scored(client, {"customer_id": who, "events": [order]}, explain=True)
    assert given["churn_risk"] != before
    assert given["action"]["decision_id"] is None
    assert given["reasons"]
    assert number_of(client, who) == before
    assert shop.events.history().num_rows == events


def number_of(client, who):
    return scored(client, {"customer_id": who})[0]["churn_risk"]


def features_of(real, who):
    shop, holder = real
    timeline = Timeline.from_arrow(shop.events.events_of([who]))
    rows = feature_rows(timeline, holder.current(), as_of=NOW)
    values = [None if np.isnan(value) else value for value in rows.values[0].tolist()]
    return dict(zip(rows.names, values, strict=True))


def test_signals_sent_along_give_the_same_number(real, client):
    """JSON carries every bit; what the shop computes itself and what is sent agree."""
    shop, _ = real
    for who in customers_of(shop):
        sent = {"customer_id": f"new-{who}", "features": features_of(real, who)}
        stored, given = scored(client, {"customer_id": who}, sent)
        assert given["churn_risk"] == stored["churn_risk"]
        assert (given["source"], given["degraded"]) == ("features", False)


def test_as_many_items_as_may_come_fit_with_all_their_signals(real, client):
    items = [{"customer_id": f"new-{place}"} for place in range(MOST_ITEMS)]
    signals = dict.fromkeys(features_of(real, customers_of(real[0])[0]), -1 / 3)
    body = {"items": [item | {"features": signals} for item in items]}
    answer = client.post("/v1/scores", json=body)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["scores"]) == MOST_ITEMS


def test_a_signal_left_out_is_told(real, client):
    """Missing on purpose (null) is no news; left out is: ``degraded``."""
    features = features_of(real, customers_of(real[0])[0])
    name = next(name for name in features if name != "days_since_order")
    left_out = {key: value for key, value in features.items() if key != name}
    rows = scored(
        client,
        {"customer_id": "a", "features": features | {name: None}},
        {"customer_id": "b", "features": left_out},
    )
    assert [row["degraded"] for row in rows] == [False, True]
    assert rows[0]["churn_risk"] == rows[1]["churn_risk"]


def test_the_same_customer_may_be_asked_about_in_several_ways(real, client):
    """Answers come in the order of the items, all of one model."""
    who = customers_of(real[0])[0]
    features = features_of(real, who)
    rows = scored(
        client,
        {"customer_id": who, "features": features},
        {"customer_id": who},
        {"customer_id": who, "features": features | {"days_since_order": 1.0}},
    )
    assert [row["source"] for row in rows] == ["features", "store", "features"]
    assert rows[0]["churn_risk"] == rows[1]["churn_risk"] != rows[2]["churn_risk"]
    assert len({row["model"]["version"] for row in rows}) == 1


def test_an_objection_holds_for_what_is_sent_along(real, client):
    """Art. 21: no profiling, wherever the data come from; at once, also for kept timelines."""
    shop, _ = real
    who = customers_of(shop)[1]
    ways = (
        {"customer_id": who},
        {"customer_id": who, "features": features_of(real, who)},
        {"customer_id": who, "events": [{"event": "signed_in", "occurred_at": iso(NOW)}]},
    )
    assert "objected" not in {row["status"] for row in scored(client, *ways)}
    for objects, statuses in ((True, {"objected"}), (False, set())):
        row = {"customer_id": who, "opt_out_profiling": objects}
        shop.events.put_customers(pa.Table.from_pylist([row], schema=CUSTOMER_SCHEMA))
        told = {row["status"] for row in scored(client, *ways)}
        assert (told == statuses) if objects else "objected" not in told


@pytest.mark.parametrize(
    ("item", "pointer", "detail"),
    [
        ({"features": {"no_such": 1}}, "#/items/0/features/no_such", "no such signal"),
        ({"features": {"orders_90d": "3"}}, "#/items/0/features/orders_90d", "number"),
        ({"features": {"orders_90d": True}}, "#/items/0/features/orders_90d", "number"),
        ({"events": []}, "#/items/0/events", "at least 1"),
        ({"events": [7]}, "#/items/0/events/0", "dictionary"),
        ({"events": [{"event": "signed_in"}]}, "#/items/0/events/0", "no time"),
        ({"events": [{"occurred_at": "2026-01-01"}]}, "#/items/0/events/0", "names no event"),
        (
            {"events": [{"event": "x", "occurred_at": "2026-01-01", "customer_id": "other"}]},
            "#/items/0/events/0/customer_id",
            "another customer",
        ),
        ({"events": [{"event": "x"}], "features": {}}, "#/items/0", "not both"),
    ],
)
def test_what_cannot_be_used_is_told_where_it_stands(client, item, pointer, detail):
    answer = client.post("/v1/scores", json={"items": [{"customer_id": "C1"} | item]})
    assert answer.status_code == 422
    told = {error["pointer"]: error["detail"] for error in answer.json()["errors"]}
    assert detail in told[pointer]


class Busy(FakeScoreStore):
    """A store that cannot be written, or takes its time."""

    def __init__(self, *, seconds: float | None = None) -> None:
        super().__init__()
        self.seconds, self.calls = seconds, 0

    def save_decisions(self, scores):
        self.calls += 1
        if self.seconds is None:
            raise StoreUnavailable("The store could not be written: disk is full.")
        import time

        time.sleep(self.seconds)
        super().save_decisions(scores)


def test_the_same_decision_is_written_once():
    store = Busy(seconds=0)
    keeper = DecisionKeeper(store)
    for _ in range(3):
        (score,) = keeper.keep([build_score("C1")])
        assert score.action.decision_id == "d-C1"
    assert store.calls == 1
    assert store.record_outcome("d-C1", "contacted", at=NOON, actor="crm") == "C1"


@pytest.mark.parametrize("seconds", [None, 1.0])
def test_a_store_that_cannot_be_written_costs_the_decision_not_the_score(seconds):
    """F4: reads and scores go on; nobody is handed a decision that may not exist."""
    keeper = DecisionKeeper(Busy(seconds=seconds), patience=0.1)
    (score,) = keeper.keep([build_score("C1")])
    assert score.churn_risk == build_score("C1").churn_risk
    assert score.action.decision_id is None


def test_requests_at_once_share_a_commit():
    """Twenty requests while one is being written are one more commit."""
    from concurrent.futures import ThreadPoolExecutor

    store = Busy(seconds=0.2)
    keeper = DecisionKeeper(store, patience=5)
    with ThreadPoolExecutor(20) as pool:
        kept = pool.map(lambda number: keeper.keep([build_score(f"C{number}")]), range(20))
    assert all(score.action.decision_id for (score,) in kept)
    assert store.calls <= 4


def test_the_same_suggestion_on_one_day_is_one_decision(real, client):
    """A score that is asked for every minute decides once a day."""
    who = next(one for one in customers_of(real[0]) if number_of(client, one) is not None)
    ids = {
        scored(client, {"customer_id": who}, as_of=iso(NOW + timedelta(minutes=minute)))[0][
            "action"
        ]["decision_id"]
        for minute in (1, 2, 3)
    }
    assert len(ids) == 1


def test_nothing_is_compiled_while_a_caller_waits(client, real):
    """Loading the bundle has compiled what events sent along need: it takes half a minute."""
    known = len(sort_in_one_call.signatures)
    event = {"event": "order_completed", "occurred_at": "2026-10-01", "value": 10}
    scored(client, {"customer_id": customers_of(real[0])[0], "events": [event, event]})
    assert len(sort_in_one_call.signatures) == known
