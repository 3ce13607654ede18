"""Who the customers are: what does not change about them while the shop runs.

Nothing here is a signal. The numbers named in capitals were fitted by hand so that orders per
customer, gaps and order values match Online Retail II (``benchmarks/simulator_match.py`` prints how
well), and so that the causes of leaving have about the shares that :data:`CAUSE_SHARES` states.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from churnguard.events.simulation.draws import Floats, Ints, counts, lognormals, normals, stream
from churnguard.events.simulation.plan import CAUSES, SimulationPlan
from churnguard.events.simulation.season import NEIGHBOURHOODS

CAUSE_SHARES = (0.27, 0.29, 0.14, 0.10, 0.105, 0.095)
"""Shares of the causes (in the order of ``CAUSES``) among those who left."""

WEAK_SPOTS = (0.26, 0.16, 0.17, 0.13, 0.14, 0.14)
"""Shares of customers by the one thing that they bear worst, in the order of ``CAUSES``."""

KIND_SHARES = (0.74, 0.19, 0.07)
"""Shares of regular customers, one-time buyers and wholesalers."""

EXISTING_SHARE = 0.30
"""Share of customers who already bought before the log begins."""

CYCLE_DAYS, CYCLE_SPREAD = 120.0, 0.95
"""Median and log-spread of a regular customer's own days between orders."""

WHOLESALE_CYCLE = 0.28
"""A wholesaler's cycle, relative to a regular customer's."""

VISITS_PER_ORDER, VISITS_SPREAD = 4.5, 0.45
"""Median and log-spread of visits in one cycle."""

ORDER_VALUE, VALUE_BETWEEN, WHOLESALE_VALUE = 285.0, 0.62, 1.9
"""Median order value, its log-spread between customers, and a wholesaler's factor."""

RESPONSE_SHARES = {
    "silence": (0.40, 0.25, 0.20, 0.15),
    "need": (0.12, 0.33, 0.45, 0.10),
    "carts": (0.45, 0.25, 0.15, 0.15),
    "searches": (0.25, 0.35, 0.30, 0.10),
    "delivery": (0.25, 0.35, 0.20, 0.20),
    "service": (0.15, 0.30, 0.20, 0.35),
}
"""Shares of ``RESPONSE_TYPES`` by weak spot, so that who answers how can be learned."""

_WEAK, _STRONG = 1.0, 0.12
_HOURS = (9.0, 12.0, 15.0, 19.5, 21.0)


@dataclass(frozen=True)
class People:
    """One row per customer, in the order of customer ids; arrays of shape (n,) unless said.

    Attributes
    ----------
    index : int64
        The customer's number.
    created : int64
        Day on which the account was made; negative where that was before the log.
    kind, weak_spot, response, group : int64
        Indices into ``KINDS``, ``CAUSES``, ``RESPONSE_TYPES`` and the neighbourhoods.
    cycle : float64
        Own days between orders when all is well.
    visits : float64
        Chance of a visit without an order on a usual day.
    sensitivity : float64 (6, n)
        How much each cause in ``CAUSES`` weighs.
    cart_left, search_empty, late, ticket, slow_service : float64
        Chances that a visit leaves a cart, a search is empty, a delivery is late, an order
        leads to a ticket, a ticket stays open long.
    mail, fall, spend, prefers_discount, hour : float64
        Liking of mails, daily chance that the need begins to fall, usual order value, share of
        orders with a coupon of one's own accord, usual hour of day.
    favourites : int64 (3, n)
        Categories.
    mailable : float64
        1 where e-mail consent was given, else 0.
    """

    index: Ints
    created: Ints
    kind: Ints
    weak_spot: Ints
    response: Ints
    group: Ints
    cycle: Floats
    visits: Floats
    sensitivity: Floats
    cart_left: Floats
    search_empty: Floats
    late: Floats
    ticket: Floats
    slow_service: Floats
    mail: Floats
    fall: Floats
    spend: Floats
    prefers_discount: Floats
    hour: Floats
    favourites: Ints
    mailable: Floats

    def take(self, rows: Ints) -> Self:
        """Return these rows."""
        return type(self)(**{f.name: getattr(self, f.name)[..., rows] for f in fields(self)})


def draw_people(plan: SimulationPlan) -> People:
    """Draw the customers of a plan."""
    n, rng = plan.customers, stream(plan.seed, "people")
    kind = counts(rng.random(n), KIND_SHARES)
    weak = counts(rng.random(n), WEAK_SPOTS)
    wholesale = kind == 2
    cycle = np.clip(
        lognormals(rng, n, median=CYCLE_DAYS, spread=CYCLE_SPREAD)
        * np.where(wholesale, WHOLESALE_CYCLE, 1.0)
        / plan.pace,
        4.0,
        365.0,
    )
    visits = lognormals(rng, n, median=VISITS_PER_ORDER, spread=VISITS_SPREAD) / cycle
    spend = lognormals(rng, n, median=ORDER_VALUE, spread=VALUE_BETWEEN)
    return People(
        index=np.arange(n, dtype=np.int64),
        created=_created(plan, rng),
        kind=kind,
        weak_spot=weak,
        response=_response(rng, weak),
        group=np.floor(rng.random(n) * (NEIGHBOURHOODS if plan.misspecified else 1)).astype(int),
        cycle=cycle,
        visits=np.clip(visits, 0.005, 0.6),
        sensitivity=np.where(np.arange(len(CAUSES))[:, None] == weak, _WEAK, _STRONG),
        cart_left=_leaning(rng, weak, "carts", usual=0.16, weakly=0.42),
        search_empty=_leaning(rng, weak, "searches", usual=0.07, weakly=0.30),
        late=_leaning(rng, weak, "delivery", usual=0.05, weakly=0.28),
        ticket=_leaning(rng, weak, "service", usual=0.04, weakly=0.22),
        slow_service=_leaning(rng, weak, "service", usual=0.15, weakly=0.60),
        mail=np.round(0.08 + 0.5 * rng.random(n) ** 2, 6),
        fall=np.where(weak == CAUSES.index("need"), 1 / 220.0, 1 / 1800.0),
        spend=spend * np.where(wholesale, WHOLESALE_VALUE, 1.0),
        prefers_discount=np.round(0.3 * rng.random(n) ** 2, 6),
        hour=np.asarray(_HOURS)[counts(rng.random(n), (0.15, 0.25, 0.2, 0.25, 0.15))],
        favourites=np.floor(12 * rng.random((3, n)) ** 1.3).astype(np.int64),
        mailable=(rng.random(n) < 0.68).astype(np.float64),
    )


def _created(plan: SimulationPlan, rng: np.random.Generator) -> Ints:
    """Return days: a share was there before, the others come at a rate that halves in the end."""
    n = plan.customers
    before = rng.random(n) < EXISTING_SHARE
    u = rng.random(n)
    arrival = plan.days * (2.0 - np.sqrt(4.0 - 3.0 * u))
    return np.floor(np.where(before, -1.0 - 700.0 * u, arrival)).astype(np.int64)


def _response(rng: np.random.Generator, weak: Ints) -> Ints:
    steps = np.cumsum([RESPONSE_SHARES[cause] for cause in CAUSES], axis=1)[:, :-1]
    response: Ints = (rng.random(len(weak))[:, None] >= steps[weak]).sum(axis=1)
    return response


def _leaning(
    rng: np.random.Generator, weak: Ints, cause: str, *, usual: float, weakly: float
) -> Floats:
    """Return chances around ``weakly`` for those whose weak spot this is, else ``usual``."""
    middle = np.where(weak == CAUSES.index(cause), weakly, usual)
    return np.clip(middle * (1 + 0.3 * normals(rng, len(weak))), 0.01, 0.9)
