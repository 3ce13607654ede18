"""Whatever the plan, a simulated shop is a possible shop."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churnguard.clock import to_us
from churnguard.events.schema import EVENT_SCHEMA
from churnguard.events.simulation import SimulationPlan, simulate

PLANS = st.builds(
    SimulationPlan,
    customers=st.integers(1, 60),
    days=st.integers(1, 160),
    seed=st.integers(0, 2**63 - 1),
    end=st.datetimes(datetime(2000, 1, 1), datetime(2035, 1, 1)).map(  # noqa: DTZ001
        lambda naive: naive.replace(tzinfo=UTC)
    ),
    timezone=st.sampled_from(["UTC", "Asia/Jerusalem", "America/Sao_Paulo", "Pacific/Apia"]),
    pace=st.floats(0.5, 4.0),
    leaving=st.floats(0.0, 3.0),
    season_strength=st.floats(0.0, 1.5),
    misspecified=st.booleans(),
    offers=st.booleans(),
    truth_every_days=st.integers(20, 90),
    horizon_days=st.integers(1, 60),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plan=PLANS)
def test_every_plan_gives_a_possible_shop(plan: SimulationPlan) -> None:
    """Schema, order, range, the two clocks, sums of orders, and risks between 0 and 1 hold."""
    shop = simulate(plan)
    events, truth = shop.events, shop.truth
    assert events.schema.equals(EVENT_SCHEMA)
    columns = ("customer_id", "occurred_at", "event_id")
    order = pc.sort_indices(events, sort_keys=[(name, "ascending") for name in columns])
    assert order.equals(pa.array(np.arange(events.num_rows), pa.uint64()))
    occurred = events["occurred_at"].cast(pa.int64()).to_numpy()
    received = events["received_at"].cast(pa.int64()).to_numpy()
    start = to_us(plan.end - timedelta(days=plan.days + 2))
    assert (occurred >= start).all()
    assert (received >= occurred).all()
    assert (received < to_us(plan.end)).all()
    names = events["event"].cast(pa.string())
    totals = [
        round(pc.sum(events["value"].filter(pc.equal(names, name))).as_py() or 0.0, 2)
        for name in ("order_completed", "product_ordered")
    ]
    assert totals[0] == totals[1]
    for column in ("churn_risk", "churn_risk_if_offered", "order_hazard", "leave_hazard"):
        values = truth[column].to_numpy()
        assert ((values >= 0) & (values <= 1)).all()
    assert shop.customers.num_rows == plan.customers
    assert plan.offers or shop.offers.num_rows == 0
