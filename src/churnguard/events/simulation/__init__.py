"""A simulated shop with known truth: for demos, tests and honest comparisons.

Latent states (satisfaction, need, habit, attention) drive what customers do; no signal of
ChurnGuard is part of the model. ``docs/simulator.md`` tells the model and its limits.
"""

from churnguard.events.simulation.people import CAUSE_SHARES
from churnguard.events.simulation.plan import (
    CAUSES,
    KINDS,
    RESPONSE_TYPES,
    SimulatedShop,
    SimulationPlan,
)
from churnguard.events.simulation.shop import simulate

__all__ = [
    "CAUSES",
    "CAUSE_SHARES",
    "KINDS",
    "RESPONSE_TYPES",
    "SimulatedShop",
    "SimulationPlan",
    "simulate",
]
