"""Rows are built by the label that is asked for, and a label that cannot be is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import churnguard
from churnguard.errors import InvalidRequest, NotEnoughHistory
from churnguard.jobs.build import build
from churnguard.jobs.ingest import ingest
from churnguard.project.template import create_project

START = datetime(2026, 1, 1, tzinfo=UTC)
LINES = (
    ("stays", "subscription_started", 0),
    ("stays", "subscription_renewed", 40),
    ("ends", "subscription_started", 0),
    ("ends", "subscription_cancelled", 60),
    ("pauses", "subscription_started", 0),
    ("pauses", "subscription_cancelled", 55),
    ("pauses", "subscription_started", 65),
    ("gone", "subscription_started", 0),
    ("gone", "subscription_cancelled", 20),
    ("buys", "order_completed", 30),
    ("ends", "order_completed", 30),
    ("buys", "order_completed", 100),
)


def make_shop(root, lines):
    """Make a project of a few events."""
    create_project(root)
    shop = churnguard.open_shop(root, clock=lambda: START + timedelta(days=200), environ={})
    head = "event_id,customer_id,event,occurred_at,value"
    rows = [
        f"e{place},{customer},{event},{(START + timedelta(days=day)).isoformat()},10"
        for place, (customer, event, day) in enumerate(lines)
    ]
    file = root / "events.csv"
    file.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    ingest(shop, [file])
    return shop


def labels(shop, **asked):
    rows, _ = build(shop, [START + timedelta(days=50)], **asked)
    columns = (rows[name].to_pylist() for name in ("customer_id", "churned"))
    return dict(zip(*columns, strict=True))


def test_each_label_has_its_own_customers_and_outcomes(tmp_path):
    """By orders: who bought and did not come again. By subscription: whose ended for good."""
    shop = make_shop(tmp_path / "shop", LINES)
    shop = churnguard.open_shop(shop.root, clock=shop.clock, environ={}, horizon_days=30)
    assert labels(shop, label="subscription") == {"stays": False, "ends": True, "pauses": False}
    assert labels(shop) == {"buys": True, "ends": True}


def test_a_label_that_there_is_not_is_named(tmp_path):
    """With those that there are."""
    shop = make_shop(tmp_path / "shop", LINES)
    with pytest.raises(InvalidRequest, match="no label 'contract'"):
        labels(shop, label="contract")


def test_a_shop_without_subscriptions_is_told_so(tmp_path):
    """Rather than given an empty table."""
    shop = make_shop(tmp_path / "shop", LINES[-3:])
    with pytest.raises(NotEnoughHistory, match="subscription_started"):
        labels(shop, label="subscription")
