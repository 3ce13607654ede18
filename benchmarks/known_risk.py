"""The known churn risk of simulated customers: the shop's days ahead, lived again and again.

The truth that ``simulate`` writes follows what is expected to happen and is up to two points off in
the middle of the range; to test an interval that is too rough. Here the days ahead are drawn: from
the state at the cutoff the shop lives on without anybody's order, and the chance of having placed
none is multiplied up along the way (exact in the mean; a dozen paths do, for each path gives a
probability and not an outcome).
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from churnguard.events.simulation import SimulationPlan
from churnguard.events.simulation.draws import stream
from churnguard.events.simulation.dynamics import HIDDEN_MOODS, Hazards
from churnguard.events.simulation.people import draw_people
from churnguard.events.simulation.season import shop_calendar
from churnguard.events.simulation.world import World

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PATHS = 12


class AheadWorld(World):
    """A shop in which nobody orders any more; it keeps the chance of that."""

    still: Floats | None = None

    def branch(self, seed: int) -> AheadWorld:
        """Return a copy that lives on with other draws."""
        other = copy.copy(self)
        for name in ("state", "gone", "left_on", "cause", "_mailable"):
            setattr(other, name, copy.deepcopy(getattr(self, name)))
        other._records = defaultdict(list)  # noqa: SLF001
        other._rng = stream(seed, "ahead")  # noqa: SLF001
        other.still = np.ones(self.plan.customers)
        return other

    def _visits(self, chances: Hazards, here: Bools, day: int, u: Floats) -> tuple[Bools, Bools]:
        if self.still is not None:
            order = chances.order
            if self.plan.misspecified:
                mood = np.where(self.state.idle > 0, HIDDEN_MOODS[1], HIDDEN_MOODS[0])
                order = np.minimum(order * mood, 0.5)
            self.still = self.still * np.where(here, 1.0 - order, 1.0)
            u = np.concatenate([np.ones((1, u.shape[1])), u[1:]])
        return super()._visits(chances, here, day, u)


def known_risks(plan: SimulationPlan, days: Collection[int]) -> dict[int, Floats]:
    """Return every customer's P(no order in the horizon) at the beginning of some days.

    Parameters
    ----------
    plan : SimulationPlan
        The shop; its horizon is what is asked for.
    days : collection of int
        Days of the log, from 0.

    Returns
    -------
    dict of int to ndarray of float64, shape (customers,)
        By day, in the order of the customer book.
    """
    world = AheadWorld(plan, draw_people(plan), shop_calendar(plan))
    found: dict[int, Floats] = {}
    for day in range(max(days) + 1):
        if day in days:
            found[day] = np.mean([_followed(world, day, path) for path in range(PATHS)], axis=0)
        world.live(day)
    return found


def _followed(world: AheadWorld, day: int, path: int) -> Floats:
    ahead = world.branch(1_000 * (day + 1) + path)
    for later in range(day, day + world.plan.horizon_days):
        ahead.live(later)
    assert ahead.still is not None
    return ahead.still
