"""The simulated log keeps every promise that a real log is asked for, and some that only it can."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from churnguard.clock import to_us
from churnguard.errors import InvalidRequest
from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.events.schema import EVENT_SCHEMA, KNOWN_EVENTS
from churnguard.events.simulation import SimulatedShop, SimulationPlan, simulate

PLAN = SimulationPlan(
    customers=400,
    days=400,
    seed=5,
    end=datetime(2026, 3, 30, 15, 20, tzinfo=UTC),
    timezone="Asia/Jerusalem",
    currency="ILS",
    truth_every_days=28,
)
CART_EVENTS = ("product_added", "product_removed", "cart_viewed", "checkout_started")


@pytest.fixture(scope="module")
def shop() -> SimulatedShop:
    return simulate(PLAN)


def of(shop: SimulatedShop, *names: str) -> pa.Table:
    chosen = pc.is_in(shop.events["event"].cast(pa.string()), value_set=pa.array(names))
    return shop.events.filter(chosen)


def digest(shop: SimulatedShop) -> str:
    """SHA-256 over all four tables as Arrow streams."""
    total = hashlib.sha256()
    for table in (shop.events, shop.customers, shop.offers, shop.truth):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table.combine_chunks())
        total.update(sink.getvalue())
    return total.hexdigest()


def test_same_plan_gives_the_same_bytes_in_another_process(shop):
    """Neither the process nor hash randomisation leaves a trace."""
    program = (
        "import importlib.util, sys;"
        f"spec = importlib.util.spec_from_file_location('t', {__file__!r});"
        "t = importlib.util.module_from_spec(spec); spec.loader.exec_module(t);"
        "print(t.digest(t.simulate(t.PLAN)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "99"},
    )
    assert found.stdout.strip() == digest(shop) == digest(simulate(PLAN))


@pytest.mark.parametrize("change", [{"seed": 6}, {"misspecified": True}, {"offers": False}])
def test_another_plan_gives_another_log(shop, change):
    """Seed, misspecification and offers all matter, and event ids do not collide."""
    other = simulate(dataclasses.replace(PLAN, **change))
    assert digest(other) != digest(shop)
    both = pa.concat_tables([other.events, shop.events])["event_id"]
    assert pc.count_distinct(both).as_py() == len(both)


def test_the_log_has_the_schema_and_known_events_only(shop):
    """The event table is canonical, required columns are filled, and all names are known."""
    assert shop.events.schema.equals(EVENT_SCHEMA)
    for field in EVENT_SCHEMA:
        assert field.nullable or shop.events[field.name].null_count == 0
    assert set(shop.events["event"].cast(pa.string()).unique().to_pylist()) <= KNOWN_EVENTS
    assert pc.count_distinct(shop.events["event_id"]).as_py() == shop.events.num_rows
    assert shop.events["clock"].cast(pa.string()).unique().to_pylist() == ["true"]


def test_the_log_is_sorted_and_in_range(shop):
    """Sorted by customer, time, id; nothing before the log, nothing received after its end."""
    columns = ("customer_id", "occurred_at", "event_id")
    order = pc.sort_indices(shop.events, sort_keys=[(name, "ascending") for name in columns])
    assert order.equals(pa.array(np.arange(shop.events.num_rows), pa.uint64()))
    occurred = shop.events["occurred_at"].cast(pa.int64()).to_numpy()
    received = shop.events["received_at"].cast(pa.int64()).to_numpy()
    assert occurred.min() >= to_us(PLAN.end) - (PLAN.days + 1) * 86_400_000_000
    assert received.max() < to_us(PLAN.end)
    assert (received >= occurred).all()
    days_late = (received - occurred) > 86_400_000_000
    assert 0 < days_late.mean() < 0.01


def test_an_order_is_the_sum_of_its_lines(shop):
    """To the cent, with discounts and units; lines carry the order's event id and number."""
    orders = of(shop, "order_completed").to_pylist()
    lines: dict[str, list[dict]] = {}
    for line in of(shop, "product_ordered").to_pylist():
        parent, _, number = line["event_id"].partition("#")
        lines.setdefault(parent, []).append({**line, "number": int(number)})
    assert orders
    assert len(lines) == len(orders)
    for order in orders:
        mine = lines[order["event_id"]]
        assert sorted(line["number"] for line in mine) == list(range(1, len(mine) + 1))
        for column in ("value", "discount", "quantity"):
            assert sum(line[column] for line in mine) == pytest.approx(order[column], abs=1e-6)
        for column in ("order_id", "cart_id", "occurred_at", "received_at", "customer_id"):
            assert {line[column] for line in mine} == {order[column]}


def test_no_order_gets_back_more_than_it_cost(shop):
    """Refunds and cancellations name an order of the same customer, once, and come after it."""
    orders = {order["order_id"]: order for order in of(shop, "order_completed").to_pylist()}
    back = of(shop, "order_refunded", "order_cancelled").to_pylist()
    assert len({event["order_id"] for event in back}) == len(back) > 0
    for event in back:
        order = orders.get(event["order_id"])
        if order is None:  # the order is still on its way to us
            continue
        assert 0 < event["value"] <= order["value"]
        assert event["customer_id"] == order["customer_id"]
        assert event["occurred_at"] > order["occurred_at"]


def test_cart_events_name_their_cart_and_carts_belong_to_one_visit(shop):
    """Every cart event has a cart and a session; a cart never moves to another customer."""
    carts = of(shop, *CART_EVENTS)
    assert carts["cart_id"].null_count == carts["session_id"].null_count == 0
    pairs = carts.select(["cart_id", "session_id", "customer_id"]).group_by(
        ["cart_id", "session_id", "customer_id"]
    )
    assert pairs.aggregate([]).num_rows == pc.count_distinct(carts["cart_id"]).as_py()
    bought = set(of(shop, "order_completed")["cart_id"].to_pylist())
    assert bought < set(carts["cart_id"].to_pylist())


def test_values_mean_what_the_schema_says(shop):
    """Money has the plan's currency, searches count results, surveys keep to their scales."""
    money = of(shop, "order_completed", "product_ordered", "product_added", "order_refunded")
    assert money["currency"].unique().to_pylist() == ["ILS"]
    assert of(shop, "signed_in")["currency"].null_count == of(shop, "signed_in").num_rows
    results = of(shop, "products_searched")["value"].to_numpy()
    assert (results == np.floor(results)).all()
    assert 0.02 < (results == 0).mean() < 0.3
    surveys = of(shop, "survey_answered")
    for kind, low, high in (("nps", 0, 10), ("csat", 1, 5), ("ces", 1, 7)):
        scores = surveys.filter(pc.equal(surveys["kind"], kind))["value"].to_numpy()
        assert low <= scores.min() <= scores.max() <= high
    tickets = of(shop, "support_ticket_opened")
    assert tickets["kind"].null_count == tickets["order_id"].null_count == 0


def test_tickets_close_after_they_open(shop):
    """A closed ticket was opened before, under the same name."""
    opened = {e["properties"]: e for e in of(shop, "support_ticket_opened").to_pylist()}
    closed = of(shop, "support_ticket_closed").to_pylist()
    assert len({event["properties"] for event in closed}) == len(closed)
    for event in closed:
        if event["properties"] in opened:
            assert event["occurred_at"] > opened[event["properties"]]["occurred_at"]


def test_nobody_acts_before_the_account_was_made(shop):
    """The customer book has its schema, and created_at comes before the customer's events."""
    assert shop.customers.schema.equals(CUSTOMER_SCHEMA)
    created = dict(
        zip(
            shop.customers["customer_id"].to_pylist(),
            shop.customers["created_at"].to_pylist(),
            strict=True,
        )
    )
    first = shop.events.group_by("customer_id").aggregate([("occurred_at", "min")]).to_pylist()
    assert all(created[row["customer_id"]] <= row["occurred_at_min"] for row in first)
    assert set(shop.customers["locale"].to_pylist()) == {"en", "he"}
    for channel in ("email", "sms", "phone", "push"):
        assert set(shop.customers[f"consent_{channel}"].to_pylist()) == {True, False, None}


def test_offers_go_only_to_those_who_may_be_mailed(shop):
    """About half of those drawn are held out; campaign coupons are used by the offered only."""
    mailable = dict(
        zip(
            shop.customers["customer_id"].to_pylist(),
            shop.customers["consent_email"].to_pylist(),
            strict=True,
        )
    )
    offers = shop.offers.to_pylist()
    assert all(mailable[row["customer_id"]] for row in offers)
    share = np.mean([row["offered"] for row in offers])
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(len(offers))
    offered = {(row["customer_id"], row["campaign"]) for row in offers if row["offered"]}
    coupons = of(shop, "coupon_applied").to_pylist()
    used = [c for c in coupons if '"campaign"' in c["properties"]]
    assert used
    for coupon in used:
        campaign = coupon["properties"].split('"')[3]
        assert (coupon["customer_id"], campaign) in offered


def test_a_small_and_a_short_shop_are_whole(tmp_path):
    """One customer, or one day, is enough; tables keep their schemas."""
    for plan in (SimulationPlan(customers=1, days=200), SimulationPlan(customers=30, days=1)):
        small = simulate(plan)
        assert small.events.schema.equals(EVENT_SCHEMA)
        assert small.customers.num_rows == plan.customers


def test_progress_ends_at_the_last_day():
    """Progress is told in days and ends with all of them."""
    told: list[tuple[str, int, int | None]] = []
    simulate(SimulationPlan(customers=5, days=30), progress=lambda *step: told.append(step))
    assert told[-1] == ("simulating days", 30, 30)
    assert [step[1] for step in told] == sorted(step[1] for step in told)


@pytest.mark.parametrize(
    "wrong",
    [
        {"customers": 0},
        {"days": 0},
        {"seed": -1},
        {"end": datetime(2026, 1, 1)},  # noqa: DTZ001
        {"timezone": "Mars/Olympus"},
        {"season_strength": 9.0},
    ],
)
def test_a_plan_that_cannot_be_is_refused(wrong):
    """The error names what is wrong and comes with a hint."""
    with pytest.raises(InvalidRequest) as caught:
        SimulationPlan(**wrong)
    assert caught.value.hint
