"""Golden customers: made up, few, and the same for ever; a bundle proves itself on them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow as pa

from churnguard.clock import to_us
from churnguard.events.simulation import SimulationPlan, simulate

_CUSTOMERS = 24
_DAYS = 400
_SEED = 20_111_209


def golden_events(end: datetime) -> pa.Table:
    """Return the events of a few simulated customers up to an instant (``EVENT_SCHEMA``)."""
    return simulate(SimulationPlan(customers=_CUSTOMERS, days=_DAYS, seed=_SEED, end=end)).events


def golden_cutoffs(end: datetime) -> tuple[int, ...]:
    """Return the cutoffs at which golden customers are scored, microseconds UTC."""
    return to_us(end - timedelta(days=45)), to_us(end)
