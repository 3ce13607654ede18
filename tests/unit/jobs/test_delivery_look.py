"""What came of a kind of event is counted of eligible customers, as it was known at a cutoff."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from churnguard.clock import to_us
from churnguard.events.timeline import Timeline
from churnguard.jobs.delivery_look import Deliveries
from churnguard.labels import ORDER_GAP, label_named
from churnguard.testing.builders import build_events

CUTOFF = datetime(2026, 11, 1, tzinfo=UTC)


def event(customer: str, kind: str, days_ago: float, late_days: float = 0.0) -> dict:
    """An event so long before the cutoff, received so much later than it occurred."""
    at = CUTOFF - timedelta(days=days_ago)
    received = at + timedelta(days=late_days)
    return {"customer_id": customer, "event": kind, "occurred_at": at, "received_at": received}


def deliveries(*parts: list[dict]) -> Deliveries:
    timelines = [Timeline.from_arrow(build_events(part)) for part in parts]
    return Deliveries(timelines, label_named(ORDER_GAP), look_back_days=365)


def test_events_are_counted_by_both_clocks_in_the_window_and_of_the_eligible_only() -> None:
    came = deliveries(
        [
            event("bought", "order_completed", 100),
            event("bought", "signed_in", 28),
            event("bought", "signed_in", 28.001),  # before the window
            event("bought", "signed_in", 1),
            event("bought", "signed_in", 1, late_days=2),  # not known yet
            event("bought", "signed_in", 0),  # the cutoff is not before the cutoff
            event("looked", "signed_in", 1),  # never ordered
        ],
        [event("silent", "order_completed", 364), event("silent", "order_completed", 10)],
    ).of("signed_in")([to_us(CUTOFF)])
    assert came.events.tolist() == [2, 0, 0]
    assert came.rows.tolist() == [1, 0, 1]
    assert came.mean == 1


def test_a_customer_of_several_cutoffs_is_one_customer() -> None:
    """Eligible at the later cutoff only, then at both."""
    orders = [event("new", "order_completed", 5), event("old", "order_completed", 60)]
    sign_ins = [event("new", "signed_in", 5), *(event("old", "signed_in", n) for n in (5, 33, 34))]
    cutoffs = [to_us(CUTOFF), to_us(CUTOFF - timedelta(days=28))]
    came = deliveries(orders + sign_ins).of("signed_in")(cutoffs)
    assert came.events.tolist() == [1, 3]
    assert came.rows.tolist() == [1, 2]
