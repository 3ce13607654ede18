"""Carts that are filled in a visit, and then bought or left.

An order is the sum of its lines, to the cent: each line's discount is rounded down first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from churnguard.events.simulation.assortment import pick
from churnguard.events.simulation.draws import Bools, Floats, Ints, normals, stream
from churnguard.events.simulation.log import EventLog
from churnguard.events.simulation.season import campaign_name
from churnguard.events.simulation.visits import STEP_SECONDS, after_steps, each
from churnguard.events.simulation.world import Run

VALUE_WITHIN = 0.62
"""Log-spread of one customer's order values; Online Retail II: 0.69."""

LINES_MOST, LEFT_LINES_MOST = 24, 6
PER_LINE = 85.0
"""Money that goes into one line, at the median."""

OWN_PERCENT, OFFER_PERCENT = 10, 15
"""Percent off: a coupon of one's own, and a campaign's offer."""

OFFER_USED = 0.8
"""Chance that an order within an open offer uses its coupon."""


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


def write_baskets(log: EventLog, run: Run, begin: Ints) -> Orders:
    """Add all carts and orders; ``begin`` is when each visit's first cart begins."""
    rng = stream(run.plan.seed, "baskets")
    baskets = _baskets(run, rng)
    size = len(baskets.visit)
    most = np.where(baskets.order >= 0, LINES_MOST, LEFT_LINES_MOST)
    wanted = 1 + baskets.budget / (100 * PER_LINE) * (0.5 + rng.random(size))
    lines = np.minimum(wanted.astype(np.int64), most)
    extra = (rng.random(size) < 0.15).astype(np.int64)
    start = begin[baskets.visit]
    start = start + STEP_SECONDS * _earlier_steps(baskets.visit, lines + 2 * extra + 4)
    row, step = each(lines + extra)
    item = _choose(run, baskets, lines, row, rng)
    second = start[row] + after_steps(step, rng)
    kept = step < lines[row]
    _carry(log, "product_added", baskets, row=row, second=second, item=item)
    out = ~kept
    _carry(
        log,
        "product_removed",
        baskets,
        row=row[out],
        second=second[out] + 15,
        item=_only(item, out),
    )
    till = start + STEP_SECONDS * (lines + extra)
    row, item = row[kept], _only(item, kept)
    total = np.bincount(row, weights=item["cents"], minlength=size).astype(np.int64)
    _check_out(log, baskets, till, total, rng)
    return _book(log, baskets, till + 2 * STEP_SECONDS, row, item)


def _baskets(run: Run, rng: np.random.Generator) -> Baskets:
    """Return all carts: those bought (with further orders of the same visit), then those left."""
    visits, orders, people = run.happened.visits, run.happened.orders, run.people
    bought, left = np.flatnonzero(visits["bought"]), np.flatnonzero(visits["cart_left"])
    source, nth = each(1 + orders["further"])
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
        percent=np.where(campaign >= 0, OFFER_PERCENT, np.where(own, OWN_PERCENT, 0)),
        campaign=campaign,
    )


def _choose(
    run: Run, baskets: Baskets, lines: Ints, row: Ints, rng: np.random.Generator
) -> dict[str, Ints]:
    """Return product, quantity and money of each line; they come to about the budget."""
    u = rng.random((4, len(row)))
    target = baskets.budget[row] / lines[row] * (0.6 + 0.8 * u[3])
    product = pick(
        run.assortment,
        favourites=run.people.favourites,
        customer=baskets.customer[row],
        budget=target,
        u=u[:3],
    )
    price = run.assortment.cents[product]
    quantity = np.maximum(np.rint(target / price), 1).astype(np.int64)
    return {"product": product, "quantity": quantity, "cents": quantity * price}


def _only(item: dict[str, Ints], chosen: Bools) -> dict[str, Ints]:
    return {name: values[chosen] for name, values in item.items()}


def _carry(
    log: EventLog, event: str, baskets: Baskets, *, row: Ints, second: Ints, item: dict[str, Ints]
) -> None:
    """Put items into carts, or take them out."""
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


def _check_out(
    log: EventLog, baskets: Baskets, till: Ints, total: Ints, rng: np.random.Generator
) -> None:
    """Look at the cart; whoever buys, and some who do not, begin to check out."""
    u = rng.random((2, len(till)))
    off = total * baskets.percent // 100
    coupons = {"discount": off, "properties": _coupons(baskets)}
    for event, chosen, later, cents, more in (
        ("cart_viewed", u[0] < 0.8, 0, total, {}),
        ("checkout_started", (baskets.order >= 0) | (u[1] < 0.35), 20, total, {}),
        ("coupon_applied", baskets.percent > 0, STEP_SECONDS, off, coupons),
    ):
        rows = np.flatnonzero(chosen)
        log.add(
            event,
            customer=baskets.customer[rows],
            second=till[rows] + later,
            request=baskets.visit[rows],
            session=baskets.visit[rows],
            cart=rows,
            cents=cents[rows],
            **{name: values.take(rows) for name, values in more.items()},
        )


def _coupons(baskets: Baskets) -> pa.Array:
    """Return properties: a campaign's coupon names its campaign, others are the welcome coupon."""
    codes, place = np.unique(baskets.campaign, return_inverse=True)
    texts = [
        '{"coupon":"WELCOME10"}'
        if code < 0
        else f'{{"campaign":"{campaign_name(code)}","coupon":"OFFER{code:04d}"}}'
        for code in codes
    ]
    return pa.array(texts, pa.string()).take(pa.array(place))


def _book(
    log: EventLog, baskets: Baskets, second: Ints, row: Ints, item: dict[str, Ints]
) -> Orders:
    """Add orders and their lines."""
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


def _earlier_steps(visit: Ints, steps: Ints) -> Ints:
    """Return the steps of the same visit's earlier baskets, which stand right before."""
    before = np.cumsum(steps) - steps
    opens = np.diff(visit, prepend=-1) != 0
    return before - before[np.maximum.accumulate(np.where(opens, np.arange(len(visit)), 0))]
