"""The door of the simulation: a plan in, a shop with known truth out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from churnguard.clock import to_us
from churnguard.events.customers import CUSTOMER_SCHEMA
from churnguard.events.simulation.assortment import draw_assortment
from churnguard.events.simulation.baskets import write_baskets
from churnguard.events.simulation.draws import counts, stream, wholes
from churnguard.events.simulation.log import EventLog
from churnguard.events.simulation.people import People, draw_people
from churnguard.events.simulation.plan import Progress, SimulatedShop, SimulationPlan
from churnguard.events.simulation.season import ShopCalendar, campaign_name, shop_calendar
from churnguard.events.simulation.service import write_service
from churnguard.events.simulation.truth import TruthTeller
from churnguard.events.simulation.visits import write_visits
from churnguard.events.simulation.world import Happenings, Run, World

_TIME = pa.timestamp("us", tz="UTC")


def simulate(plan: SimulationPlan, *, progress: Progress | None = None) -> SimulatedShop:
    """Run a shop and return its log, its books, and the truth.

    Parameters
    ----------
    plan : SimulationPlan
        What to simulate.
    progress : callable, optional
        Told about each tenth of the days.

    Returns
    -------
    SimulatedShop
        The same bytes for the same plan.

    Examples
    --------
    >>> shop = simulate(SimulationPlan(customers=20, days=60))
    >>> shop.customers.num_rows, shop.events.column_names[:3]
    (20, ['event_id', 'customer_id', 'event'])
    """
    people, calendar = draw_people(plan), shop_calendar(plan)
    world = World(plan, people, calendar)
    truth = TruthTeller(world, plan.horizon_days)
    looks = _looks(plan, calendar)
    for day in range(plan.days):
        if progress is not None and day % max(plan.days // 10, 1) == 0:
            progress("simulating days", day, plan.days)
        if day in looks:
            truth.look(day)
        world.live(day)
    if plan.days in looks:
        truth.look(plan.days)
    happened = world.happenings()
    names = _names(plan)
    assortment, log = draw_assortment(plan.seed), EventLog()
    run = Run(plan, people, calendar, assortment, happened)
    orders = write_baskets(log, run, write_visits(log, run))
    write_service(log, run, orders)
    shop = SimulatedShop(
        events=log.table(plan, names, assortment),
        customers=_book(plan, people, calendar, names),
        offers=_offers(calendar, happened, names),
        truth=truth.table(names),
    )
    if progress is not None:
        progress("simulating days", plan.days, plan.days)
    return shop


def _looks(plan: SimulationPlan, calendar: ShopCalendar) -> frozenset[int]:
    """Days at whose beginning the truth is told; the last is the end, or the midnight before it."""
    last = plan.days if to_us(plan.end) == calendar.starts[plan.days] else plan.days - 1
    return frozenset(range(last, -1, -plan.truth_every_days))


def _names(plan: SimulationPlan) -> pa.Array:
    width = max(5, len(str(plan.customers)))
    return pa.array([f"C{number:0{width}d}" for number in range(1, plan.customers + 1)])


def _book(
    plan: SimulationPlan, people: People, calendar: ShopCalendar, names: pa.Array
) -> pa.Table:
    """Return the customer book; a consent that was never asked for is null."""
    n, rng = plan.customers, stream(plan.seed, "book")
    u = rng.random((8, n))
    moment = 7 * 3600 + wholes(u[0], 14 * 3600)
    created = calendar.starts[0] // 1_000_000 + people.created * 86_400 + moment
    inside = people.created >= 0
    created = np.where(
        inside, calendar.starts[np.maximum(people.created, 0)] // 1_000_000 + 300, created
    )
    mail = pa.array(people.mailable > 0, mask=(people.mailable == 0) & (u[1] < 0.6))
    return pa.table(
        {
            "customer_id": names,
            "created_at": pa.array(created * 1_000_000).cast(_TIME),
            "locale": pa.array(["en", "he"]).take(pa.array((u[2] < 0.45).astype(np.int64))),
            "consent_email": mail,
            "consent_sms": _consent(u[3], 0.35),
            "consent_phone": _consent(u[4], 0.15),
            "consent_push": _consent(u[5], 0.25),
            "consent_at": pa.array((created + 60) * 1_000_000).cast(_TIME),
            "opt_out_profiling": pa.array(u[6] < 0.006),
            "exclude": pa.array(u[7] < 0.002),
        },
        schema=CUSTOMER_SCHEMA,
    )


def _consent(u: np.ndarray, given: float) -> pa.Array:
    """Given, refused, or (for three in ten) never asked."""
    answer = counts(u, (given, 0.7 - given, 0.3))
    return pa.array(answer == 0, mask=answer == 2)


def _offers(calendar: ShopCalendar, happened: Happenings, names: pa.Array) -> pa.Table:
    offers = happened.offers
    day = offers["day"]
    offered = offers["offered"].astype(bool)
    codes, place = np.unique(day, return_inverse=True)
    campaigns = pa.array([campaign_name(code) for code in codes], pa.string())
    return pa.table(
        {
            "customer_id": names.take(pa.array(offers["customer"])),
            "at": pa.array(calendar.starts[day]).cast(_TIME),
            "campaign": campaigns.take(pa.array(place)),
            "offered": pa.array(offered),
        }
    )
