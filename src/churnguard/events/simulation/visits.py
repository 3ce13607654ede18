"""What happens in a visit: signing in, searching, looking, filling carts, and ordering.

Every visit has steps in a row, some 20 to 60 seconds apart. A basket is a cart that is filled in
one visit, and then bought or left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from churnguard.events.simulation.assortment import MISSING, SEARCHES, Assortment, pick
from churnguard.events.simulation.draws import Bools, Floats, Ints, counts, normals, stream, wholes
from churnguard.events.simulation.log import EventLog
from churnguard.events.simulation.people import People
from churnguard.events.simulation.plan import SimulationPlan
from churnguard.events.simulation.season import ShopCalendar
from churnguard.events.simulation.world import Happenings

VALUE_WITHIN = 0.62
"""Log-spread of one customer's order values; Online Retail II: 0.69."""

LINES_MOST = 24
PER_LINE = 62.0
"""Money that goes into one line, at the median."""

DISCOUNT_SHARE, OFFER_DISCOUNT = 10, 15
"""Percent off: a coupon of one's own, and a campaign's offer."""

OFFER_USED = 0.8
"""Chance that an order within an open offer uses its coupon."""

_VIEWS = (0.12, 0.25, 0.22, 0.16, 0.11, 0.07, 0.04, 0.03)
_STEP = 38


@dataclass(frozen=True)
class Baskets:
    """Carts, one a row: int64 arrays unless said.

    Attributes
    ----------
    visit, customer, day : int64
        The visit's row, whose it is, and when.
    order : int64
        The order's number, or -1 for a cart that was left.
    source : int64
        The row in ``Happenings.orders``, or -1.
    budget : float64
        Cents that the customer means to spend.
    percent, campaign : int64
        Discount, and the day of the campaign it comes from, or -1.
    """

    visit: Ints
    customer: Ints
    day: Ints
    order: Ints
    source: Ints
    budget: Floats
    percent: Ints
    campaign: Ints


@dataclass(frozen=True)
class Orders:
    """Orders as the shop booked them; ``source`` is the row in ``Happenings.orders``."""

    number: Ints
    customer: Ints
    second: Ints
    cents: Ints
    source: Ints
    first: Bools
    product: Ints
    product_cents: Ints


def write_visits(
    log: EventLog,
    plan: SimulationPlan,
    people: People,
    calendar: ShopCalendar,
    assortment: Assortment,
    happened: Happenings,
) -> Orders:
    """Add the events of all visits to the log and return the orders."""
    rng = stream(plan.seed, "visits")
    visits = happened.visits
    tracked = _tracked(plan, calendar, visits["day"], rng)
    start = _starts(people, calendar, visits["customer"], visits["day"], rng)
    views = counts(rng.random(len(start)), _VIEWS)
    _before_the_cart(log, people, assortment, visits, start, views, tracked, rng)
    baskets = _baskets(people, happened, plan, rng)
    begin = start[baskets.visit] + _STEP * (1 + visits["searches"] + views)[baskets.visit]
    return _fill(log, people, assortment, baskets, begin, rng)


def _tracked(
    plan: SimulationPlan, calendar: ShopCalendar, day: Ints, rng: np.random.Generator
) -> Bools:
    """From the day on which tracking changes, most visits lose their sign-in and their views."""
    return (day < calendar.tracking_changes_on) | (rng.random(len(day)) < 0.35)


def _starts(
    people: People, calendar: ShopCalendar, customer: Ints, day: Ints, rng: np.random.Generator
) -> Ints:
    """Seconds at which visits begin: around the usual hour, between 6:00 and 21:30."""
    hour = np.clip(people.hour[customer] + 2.0 * normals(rng, len(day)), 6.0, 21.5)
    return calendar.starts[day] // 1_000_000 + (hour * 3600).astype(np.int64)


def _before_the_cart(
    log: EventLog,
    people: People,
    assortment: Assortment,
    visits: dict[str, Ints | Floats],
    start: Ints,
    views: Ints,
    tracked: Bools,
    rng: np.random.Generator,
) -> None:
    who, number = visits["customer"], np.arange(len(start))
    seen = np.flatnonzero(tracked & (rng.random(len(start)) < 0.92))
    log.add("signed_in", customer=who[seen], second=start[seen], request=seen, session=seen)
    _searches(log, visits, start, rng)
    row, step = _each(np.where(tracked, views, 0))
    u = rng.random((4, len(row)))
    budget = 100.0 * PER_LINE * (0.5 + 1.5 * u[3])
    product = pick(
        assortment, favourites=people.favourites, customer=who[row], budget=budget, u=u[:3]
    )
    log.add(
        "product_viewed",
        customer=who[row],
        second=start[row] + _steps(1 + visits["searches"][row] + step, rng),
        request=row,
        session=number[row],
        product=product,
        cents=assortment.cents[product],
    )


def _searches(
    log: EventLog, visits: dict[str, Ints | Floats], start: Ints, rng: np.random.Generator
) -> None:
    """The first searches of a visit are the fruitless ones: people try again."""
    row, step = _each(visits["searches"])
    empty = step < visits["empty"][row]
    u = rng.random((2, len(row)))
    results = np.where(empty, 0, 1 + wholes(u[0] * u[0], 80))
    word = np.where(empty, len(SEARCHES) + wholes(u[1], len(MISSING)), wholes(u[1], len(SEARCHES)))
    queries = pa.array([f'{{"query":"{text}"}}' for text in (*SEARCHES, *MISSING)])
    log.add(
        "products_searched",
        customer=visits["customer"][row],
        second=start[row] + _steps(1 + step, rng),
        request=row,
        session=row,
        number=results,
        properties=queries.take(pa.array(word)),
    )


def _baskets(
    people: People, happened: Happenings, plan: SimulationPlan, rng: np.random.Generator
) -> Baskets:
    visits, orders = happened.visits, happened.orders
    bought, left = np.flatnonzero(visits["bought"]), np.flatnonzero(visits["cart_left"])
    source, nth = _each(1 + orders["further"])
    visit = np.concatenate([bought[source], left])
    customer, size = visits["customer"][visit], len(visit)
    number = np.concatenate([np.arange(len(source)), np.full(len(left), -1)])
    trend = 0.35 + 0.65 * np.minimum(visits["level"][visit], 1.0)
    spread = np.round(np.exp(VALUE_WITHIN * normals(rng, size)), 6)
    later = np.concatenate([nth, np.zeros(len(left), dtype=np.int64)]) > 0
    origin = np.concatenate([source, np.full(len(left), -1)])
    campaign = np.where((origin >= 0) & ~later, orders["offer"][origin], -1)
    campaign = np.where(rng.random(size) < OFFER_USED, campaign, -1)
    own = (campaign < 0) & (number >= 0) & (rng.random(size) < people.prefers_discount[customer])
    return Baskets(
        visit=visit,
        customer=customer,
        day=visits["day"][visit],
        order=number,
        source=origin,
        budget=100.0 * people.spend[customer] * trend * spread * np.where(later, 0.6, 1.0),
        percent=np.where(campaign >= 0, OFFER_DISCOUNT, np.where(own, DISCOUNT_SHARE, 0)),
        campaign=campaign,
    )


def _fill(
    log: EventLog,
    people: People,
    assortment: Assortment,
    baskets: Baskets,
    begin: Ints,
    rng: np.random.Generator,
) -> Orders:
    """Add carts and orders; a basket's steps follow those of the visit's earlier baskets."""
    size = len(baskets.visit)
    bought = baskets.order >= 0
    lines = np.clip(
        1 + (baskets.budget / (100 * PER_LINE) * (0.5 + rng.random(size))).astype(int),
        1,
        LINES_MOST,
    )
    lines = np.where(bought, lines, np.minimum(lines, 6))
    extra = (rng.random(size) < 0.15).astype(np.int64)
    begin = begin + _STEP * _earlier_steps(baskets.visit, lines + 2 * extra + 4)
    row, step = _each(lines + extra)
    product, quantity, cents = _choose(people, assortment, baskets, lines, row, rng)
    second = begin[row] + _steps(step, rng)
    kept = step < lines[row]
    item = {"product": product, "quantity": quantity, "cents": cents}
    _carts(log, baskets, row, second, item)
    removed = ~kept
    gone = {name: values[removed] for name, values in item.items()}
    _carts(log, baskets, row[removed], second[removed] + 15, gone, event="product_removed")
    after = begin + _STEP * (lines + extra)
    total = np.bincount(row[kept], weights=cents[kept], minlength=size).astype(np.int64)
    _to_the_till(log, baskets, after, total, rng)
    return _book(log, baskets, after + 2 * _STEP, row[kept], {k: v[kept] for k, v in item.items()})


def _choose(
    people: People,
    assortment: Assortment,
    baskets: Baskets,
    lines: Ints,
    row: Ints,
    rng: np.random.Generator,
) -> tuple[Ints, Ints, Ints]:
    """Return product, quantity and money of each line, so that the lines come to about the budget."""
    u = rng.random((4, len(row)))
    target = baskets.budget[row] / lines[row] * (0.6 + 0.8 * u[3])
    product = pick(
        assortment,
        favourites=people.favourites,
        customer=baskets.customer[row],
        budget=target,
        u=u[:3],
    )
    price = assortment.cents[product]
    quantity = np.maximum(np.rint(target / price), 1).astype(np.int64)
    return product, quantity, quantity * price


def _carts(
    log: EventLog,
    baskets: Baskets,
    row: Ints,
    second: Ints,
    item: dict[str, Ints],
    *,
    event: str = "product_added",
) -> None:
    visit = baskets.visit[row]
    log.add(
        event,
        customer=baskets.customer[row],
        second=second,
        request=visit,
        session=visit,
        cart=row,
        **item,
    )


def _to_the_till(
    log: EventLog, baskets: Baskets, after: Ints, total: Ints, rng: np.random.Generator
) -> None:
    """The cart is looked at; whoever buys, and some who do not, begin to check out."""
    u = rng.random((2, len(after)))
    bought = baskets.order >= 0
    coupon = baskets.percent > 0
    for event, chosen, later in (
        ("cart_viewed", u[0] < 0.8, 0),
        ("checkout_started", bought | (u[1] < 0.35), 20),
        ("coupon_applied", coupon, _STEP),
    ):
        rows = np.flatnonzero(chosen)
        off = total[rows] * baskets.percent[rows] // 100
        more = {"discount": off, "properties": _coupons(baskets, rows)} if later == _STEP else {}
        log.add(
            event,
            customer=baskets.customer[rows],
            second=after[rows] + later,
            request=baskets.visit[rows],
            session=baskets.visit[rows],
            cart=rows,
            cents=off if more else total[rows],
            **more,
        )


def _coupons(baskets: Baskets, rows: Ints) -> pa.Array:
    """A campaign's coupon names its campaign; others are the welcome coupon."""
    codes, place = np.unique(baskets.campaign[rows], return_inverse=True)
    texts = [
        '{"coupon":"WELCOME10"}'
        if code < 0
        else f'{{"campaign":"offer-{code:04d}","coupon":"OFFER{code:04d}"}}'
        for code in codes
    ]
    return pa.array(texts, pa.string()).take(pa.array(place))


def _book(
    log: EventLog, baskets: Baskets, second: Ints, row: Ints, item: dict[str, Ints]
) -> Orders:
    """Add orders and their lines: a line's discount is rounded down, the order is its lines' sum."""
    bought = np.flatnonzero(baskets.order >= 0)
    mine = baskets.order[row] >= 0
    row, item = row[mine], {name: values[mine] for name, values in item.items()}
    off = item["cents"] * baskets.percent[row] // 100
    net = item["cents"] - off
    first_row = np.searchsorted(row, bought)
    line = np.arange(len(row)) - np.searchsorted(row, row) + 1
    sums = {
        name: np.bincount(row, weights=values, minlength=len(second)).astype(np.int64)[bought]
        for name, values in (("cents", net), ("discount", off), ("quantity", item["quantity"]))
    }
    shared = {"customer": baskets.customer, "second": second, "request": baskets.visit}
    shared |= {"session": baskets.visit, "cart": np.arange(len(second)), "order": baskets.order}
    log.add("order_completed", **{k: v[bought] for k, v in shared.items()}, **sums)
    log.add(
        "product_ordered",
        **{name: values[row] for name, values in shared.items()},
        line=line,
        product=item["product"],
        quantity=item["quantity"],
        cents=net,
        discount=off,
    )
    return Orders(
        number=baskets.order[bought],
        customer=baskets.customer[bought],
        second=second[bought],
        cents=sums["cents"],
        source=baskets.source[bought],
        first=np.diff(baskets.source[bought], prepend=-1) != 0,
        product=item["product"][first_row],
        product_cents=net[first_row],
    )


def _each(sizes: Ints) -> tuple[Ints, Ints]:
    """Return, for groups of these sizes, the group of each member and its place in the group."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    starts = np.cumsum(sizes) - sizes
    return group, np.arange(len(group)) - starts[group]


def _earlier_steps(visit: Ints, steps: Ints) -> Ints:
    """Return how many steps the earlier baskets of the same visit took; a visit's baskets are adjacent."""
    before = np.cumsum(steps) - steps
    opens = np.diff(visit, prepend=-1) != 0
    return before - before[np.maximum.accumulate(np.where(opens, np.arange(len(visit)), 0))]


def _steps(number: Ints, rng: np.random.Generator) -> Ints:
    """Seconds after so many steps, with jitter that keeps the order of steps."""
    return _STEP * number + wholes(rng.random(len(number)), _STEP - 18)
