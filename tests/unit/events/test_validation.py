"""Every reason for which a row is set aside, each by a row that has just that fault."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from churnguard.events.fields import read_fields
from churnguard.events.mapping import mapping_of, preset
from churnguard.events.validation import (
    REASONS,
    holds_personal_data,
    judge_customers,
    judge_events,
)
from churnguard.testing import NOON

GOOD = {
    "event_id": "e1", "customer_id": "C1", "event": "order_completed",
    "occurred_at": "2026-11-20T10:00:00Z", "received_at": "2026-11-20T10:00:01Z", "clock": "true",
    "value": "12.50", "quantity": "2", "currency": "eur", "properties": '{"note":"x"}',
    "order_id": "o1", "product_id": "p1", "discount": "0",
}  # fmt: skip


def reason_of(mapping, **changes):
    """Judge one row; return the reason against it, or an empty text."""
    row = {**GOOD, **changes}
    if mapping.shape == "order-lines":
        row.setdefault("price", "6.25")
    table = pa.table({name: pa.array([value], pa.string()) for name, value in row.items()})
    places = mapping.locate(table.column_names, source="x")
    fields = read_fields(table, places, mapping, timezone="UTC")
    verdicts = judge_events(fields, mapping, now=NOON, currency="EUR")
    return verdicts.reasons[verdicts.codes[0]][0]


def test_a_good_row_has_nothing_against_it():
    for name in ("events", "orders", "order-lines"):
        assert reason_of(preset(name)) == ""


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("missing_customer", {"customer_id": " "}),
        ("personal_data", {"customer_id": "dana@example.com"}),
        ("personal_data", {"customer_id": "+972 50 123 4567"}),
        ("personal_data", {"customer_id": "050-123-4567"}),
        ("personal_data", {"customer_id": "[removed]"}),
        ("personal_data", {"properties": '{"to":"dana@example.com"}'}),
        ("personal_data", {"order_id": "dana@example.com"}),
        ("missing_event", {"event": None}),
        ("bad_event", {"event": "Order Completed"}),
        ("missing_time", {"occurred_at": ""}),
        ("bad_time", {"occurred_at": "yesterday"}),
        ("bad_time", {"occurred_at": "1970-01-01"}),
        ("bad_time", {"received_at": "later"}),
        ("future_time", {"occurred_at": (NOON + timedelta(hours=25)).isoformat()}),
        ("future_time", {"received_at": (NOON + timedelta(hours=25)).isoformat()}),
        ("unknown_clock", {"clock": "wall"}),
        ("bad_number", {"value": "twelve"}),
        ("bad_number", {"value": "inf"}),
        ("bad_number", {"value": "2e12"}),
        ("bad_number", {"quantity": "1,5"}),
        ("negative_value", {"value": "-1"}),
        ("negative_value", {"quantity": "-1"}),
        ("negative_value", {"discount": "-1"}),
        ("other_currency", {"currency": "USD"}),
        ("bad_properties", {"properties": "[1]"}),
        ("too_long", {"event_id": "x" * 201}),
        ("too_long", {"properties": '{"a":"' + "x" * 70_000 + '"}'}),
    ],
)
def test_each_fault_of_an_event_has_its_reason(reason, changes):
    assert reason_of(preset("events"), **changes) == reason
    assert reason in REASONS


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("missing_order", {"order_id": ""}),
        ("missing_product", {"product_id": None}),
        ("negative_value", {"price": "-1"}),
    ],
)
def test_each_fault_of_an_order_line_has_its_reason(reason, changes):
    assert reason_of(preset("order-lines"), **changes) == reason


@pytest.mark.parametrize(
    "changes",
    [
        {"occurred_at": (NOON + timedelta(hours=23)).isoformat()},
        {"currency": None},
        {"value": None},
        {"customer_id": "0501234567"},
        {"customer_id": "2011-000123"},
        {"customer_id": "0001-000234"},
        {"customer_id": "8e7f01bd-3b71-4ab1-a2d6-01c5a7f0a8b1"},
        {"properties": '{"sale":"2 @ 5.00"}'},
        {"event": "gift_wrapped"},
    ],
)
def test_what_only_looks_odd_is_accepted(changes):
    assert reason_of(preset("events"), **changes) == ""


def test_the_mappings_rules_come_first_and_the_first_one_that_fits_names_the_reason():
    mapping = mapping_of(
        {
            "extends": "events",
            "quarantine": [
                {"reason": "staff", "if": {"customer_id": "s.*"}, "unless": {"value": "> 100"}},
                {"reason": "free", "if": {"value": "= 0", "event": "order_.*"}},
            ],
        }
    )
    assert reason_of(mapping, customer_id="S7", value="0") == "staff"
    assert reason_of(mapping, customer_id="S7", value="101") == ""
    assert reason_of(mapping, value="0", currency="USD") == "free"
    assert reason_of(mapping, value="0", event="signed_in") == ""


def test_plain_digits_are_no_phone_number():
    ids = pa.array(["13085", "972501234567", "0501234567", "1-2", "00-11-22"])
    assert not holds_personal_data(ids, phones=True).any()


def test_customers_are_judged_by_the_same_rules_and_their_flags():
    mapping = preset("customers")
    table = pa.table(
        {
            "customer_id": ["C1", "C2", "a@b.com", None, "C5"],
            "created_at": ["2026-01-01", "never", None, None, None],
            "consent_email": ["yes", None, None, None, "sometimes"],
        }
    )
    places = mapping.locate(table.column_names, source="x")
    fields = read_fields(table, places, mapping, timezone="UTC")
    verdicts = judge_customers(fields, mapping, now=NOON)
    found = [verdicts.reasons[code][0] for code in verdicts.codes]
    assert found == ["", "bad_time", "personal_data", "missing_customer", "bad_flag"]
    assert np.array_equal(verdicts.fine, [True, False, False, False, False])
