"""What happens in a visit before the cart: signing in, searching, looking.

Every visit has steps in a row, some 20 to 60 seconds apart.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from churnguard.events.simulation.assortment import MISSING, SEARCHES, pick
from churnguard.events.simulation.draws import Bools, Ints, counts, normals, stream, wholes
from churnguard.events.simulation.log import EventLog
from churnguard.events.simulation.world import Run

STEP_SECONDS = 38
"""From one step of a visit to the next."""

VIEWS = (0.12, 0.25, 0.22, 0.16, 0.11, 0.07, 0.04, 0.03)
"""Shares of visits with 0, 1, 2, ... products looked at."""

_LOOKED_AT = 6_200.0


def write_visits(log: EventLog, run: Run) -> Ints:
    """Add what happens in all visits before the cart.

    Returns
    -------
    int64 array (visits,)
        The second at which a visit's first cart begins.
    """
    rng = stream(run.plan.seed, "visits")
    visits = run.happened.visits
    start = _starts(run, rng)
    tracked = _tracked(run, rng)
    views = counts(rng.random(len(start)), VIEWS)
    seen = np.flatnonzero(tracked & (rng.random(len(start)) < 0.92))
    log.add(
        "signed_in",
        customer=visits["customer"][seen],
        second=start[seen],
        request=seen,
        session=seen,
    )
    _search(log, run, start, rng)
    _look(log, run, start, np.where(tracked, views, 0), rng)
    begin: Ints = start + STEP_SECONDS * (1 + visits["searches"] + views)
    return begin


def each(sizes: Ints) -> tuple[Ints, Ints]:
    """Return, for groups of these sizes, the group of each member and its place in the group.

    Examples
    --------
    >>> group, place = each(np.array([2, 0, 1]))
    >>> group.tolist(), place.tolist()
    ([0, 0, 2], [0, 1, 0])
    """
    group = np.repeat(np.arange(len(sizes)), sizes)
    starts = np.cumsum(sizes) - sizes
    return group, np.arange(len(group)) - starts[group]


def after_steps(number: Ints, rng: np.random.Generator) -> Ints:
    """Return seconds after so many steps, with jitter that keeps the order of steps."""
    return STEP_SECONDS * number + wholes(rng.random(len(number)), STEP_SECONDS - 18)


def _tracked(run: Run, rng: np.random.Generator) -> Bools:
    """From the day on which tracking changes, most visits lose their sign-in and their views."""
    day = run.happened.visits["day"]
    tracked: Bools = (day < run.calendar.tracking_changes_on) | (rng.random(len(day)) < 0.35)
    return tracked


def _starts(run: Run, rng: np.random.Generator) -> Ints:
    """Seconds at which visits begin: around the usual hour, between 6:00 and 21:30."""
    visits = run.happened.visits
    hour = run.people.hour[visits["customer"]] + 2.0 * normals(rng, len(visits["day"]))
    after = (np.clip(hour, 6.0, 21.5) * 3600).astype(np.int64)
    start: Ints = run.calendar.starts[visits["day"]] // 1_000_000 + after
    return start


def _look(log: EventLog, run: Run, start: Ints, views: Ints, rng: np.random.Generator) -> None:
    visits = run.happened.visits
    row, step = each(views)
    u = rng.random((4, len(row)))
    product = pick(
        run.assortment,
        favourites=run.people.favourites,
        customer=visits["customer"][row],
        budget=_LOOKED_AT * (0.5 + 1.5 * u[3]),
        u=u[:3],
    )
    log.add(
        "product_viewed",
        customer=visits["customer"][row],
        second=start[row] + after_steps(1 + visits["searches"][row] + step, rng),
        request=row,
        session=row,
        product=product,
        cents=run.assortment.cents[product],
    )


def _search(log: EventLog, run: Run, start: Ints, rng: np.random.Generator) -> None:
    """Add searches; the first ones of a visit are the fruitless ones, as people try again."""
    visits = run.happened.visits
    row, step = each(visits["searches"])
    empty = step < visits["empty"][row]
    u = rng.random((2, len(row)))
    results = np.where(empty, 0, 1 + wholes(u[0] * u[0], 80))
    word = np.where(empty, len(SEARCHES) + wholes(u[1], len(MISSING)), wholes(u[1], len(SEARCHES)))
    queries = pa.array([f'{{"query":"{text}"}}' for text in (*SEARCHES, *MISSING)])
    log.add(
        "products_searched",
        customer=visits["customer"][row],
        second=start[row] + after_steps(1 + step, rng),
        request=row,
        session=row,
        number=results,
        properties=queries.take(pa.array(word)),
    )
