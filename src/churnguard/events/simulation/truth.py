"""The truth about every customer at points in time, which no shop can know.

The true risk P(no order in the next H days) is computed from the state, not drawn: along the days
without an order the hazards of :mod:`dynamics` are followed with what is expected to happen (visits, carts,
empty searches), and the chances of an order while still there are added up. What befalls the whole
shop (season, shocks) is known. What is left out is the spread around what is expected; tests hold
the result against what then happens.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from churnguard.events.simulation.draws import Floats, Ints
from churnguard.events.simulation.dynamics import (
    HIDDEN_MOODS,
    HIDDEN_SWITCH,
    State,
    advance,
    hazards,
    mood,
    offer_open,
)
from churnguard.events.simulation.people import People
from churnguard.events.simulation.plan import CAUSES, KINDS, RESPONSE_TYPES
from churnguard.events.simulation.season import OFFER_SHARE, ShopCalendar
from churnguard.events.simulation.world import World

EMPTY_SEARCHES = 0.77
"""Searches in a usual visit: the mean of the shares in ``world``."""

STATES = ("prospect", "active", "fading", "gone")
"""Has not ordered yet; orders as usual; habit or need at less than 60 %; has left for good."""


def no_order_chance(
    people: People, state: State, day: int, calendar: ShopCalendar, *, horizon_days: int
) -> Floats:
    """Return P(no order on any of ``horizon_days`` days from ``day``), for customers who are there.

    Parameters
    ----------
    people, state
        The customers asked about; the state is changed.
    day : int
        The first day of the horizon.

    Returns
    -------
    float64 array (n,)
    """
    lively = (state.idle != 0).any()
    idle = state.idle
    there = np.stack([1.0 - idle, idle])
    ordered = np.zeros(len(idle))
    for ahead in range(day, day + horizon_days):
        chances = hazards(
            people, state, ahead, calendar, _offered(people, state, day, ahead, calendar)
        )
        stays = 1.0 - chances.leave.sum(axis=0) * (state.orders > 0)
        there, bought = _pass_day(there, chances.order, hidden=bool(lively))
        ordered += bought
        there *= stays
        _expect(people, state, ahead, chances.visit)
    return 1.0 - ordered


def _pass_day(there: Floats, order: Floats, *, hidden: bool) -> tuple[Floats, Floats]:
    if not hidden:
        bought = there[0] * order
        return np.stack([there[0] - bought, there[1]]), bought
    chances = np.minimum(order * np.asarray(HIDDEN_MOODS)[:, None], 0.5)
    bought = there * chances
    left = there - bought
    keen = left[0] * (1 - HIDDEN_SWITCH[0]) + left[1] * HIDDEN_SWITCH[1]
    return np.stack([keen, left.sum(axis=0) - keen]), bought.sum(axis=0)


def _offered(
    people: People, state: State, today: int, ahead: int, calendar: ShopCalendar
) -> Floats:
    """Offers already made are known; of campaigns to come, a share of the mailable is expected."""
    open_now = offer_open(state, ahead)
    if calendar.campaign[ahead] >= today:
        to_come = OFFER_SHARE * people.mailable * (state.orders > 0)
        return open_now + (1.0 - open_now) * to_come
    return open_now


def _expect(people: People, state: State, day: int, visit: Floats) -> None:
    advance(
        people,
        state,
        day,
        visited=visit,
        carts=visit * people.cart_left,
        empties=visit * people.search_empty * EMPTY_SEARCHES,
        begins_to_fall=people.fall * (state.orders > 0),
    )


class TruthTeller:
    """Collects the truth at points in time while a world is run."""

    def __init__(self, world: World, horizon_days: int) -> None:
        self._world, self._horizon = world, horizon_days
        self._days: list[dict[str, Floats | Ints]] = []

    def look(self, day: int) -> None:
        """Note the truth at the beginning of a day."""
        world = self._world
        rows = np.flatnonzero(world.people.created < day)
        gone = world.gone[rows]
        people, state = world.people.take(rows), world.state.take(rows)
        chances = hazards(people, state, day, world.calendar, offer_open(state, day))
        risk, risk_if_offered = np.ones(len(rows)), np.ones(len(rows))
        risk[~gone], risk_if_offered[~gone] = self._risks(rows[~gone], day)
        self._days.append(
            {
                "customer": rows,
                "day": np.full(len(rows), day),
                "state": _state_codes(state, gone),
                "need": state.need,
                "level": state.level,
                "habit": state.habit,
                "attention": state.attention,
                "satisfaction": mood(people, state),
                **{name: state.burden[k] for k, name in enumerate(CAUSES[2:])},
                "order_hazard": np.where(gone, 0.0, chances.order),
                "leave_hazard": np.where(gone, 0.0, chances.leave.sum(axis=0) * (state.orders > 0)),
                "churn_risk": risk,
                "churn_risk_if_offered": risk_if_offered,
            }
        )

    def _risks(self, rows: Ints, day: int) -> tuple[Floats, Floats]:
        """Both risks at once: as things stand, and with an offer made today."""
        world, n = self._world, len(rows)
        twice = np.concatenate([rows, rows])
        people, state = world.people.take(twice), world.state.take(twice)
        state.offered_on[n:] = day
        both = no_order_chance(people, state, day, world.calendar, horizon_days=self._horizon)
        return both[:n], both[n:]

    def table(self, names: pa.Array) -> pa.Table:
        """Return all that was noted, sorted by customer and day."""
        world = self._world
        columns = {key: np.concatenate([d[key] for d in self._days]) for key in self._days[0]}
        order = np.lexsort([columns["day"], columns["customer"]])
        columns = {key: values[order] for key, values in columns.items()}
        customer, day = columns.pop("customer"), columns.pop("day")
        states = columns.pop("state")
        left = world.left_on[customer]
        left_at = pa.array(
            world.calendar.starts[np.maximum(left, 0)], mask=left < 0, type=pa.int64()
        ).cast(pa.timestamp("us", tz="UTC"))
        return pa.table(
            {
                "customer_id": names.take(pa.array(customer)),
                "at": pa.array(world.calendar.starts[day]).cast(pa.timestamp("us", tz="UTC")),
                "state": _words(states, STATES),
                **{key: pa.array(np.round(values, 6)) for key, values in columns.items()},
                "kind": _words(world.people.kind[customer], KINDS),
                "weak_spot": _words(world.people.weak_spot[customer], CAUSES),
                "response_type": _words(world.people.response[customer], RESPONSE_TYPES),
                "cycle_days": pa.array(np.round(world.people.cycle[customer], 6)),
                "cause": _words(world.cause[customer], CAUSES),
                "left_at": left_at,
            }
        )


def _state_codes(state: State, gone: np.ndarray) -> Ints:
    fading = np.minimum(state.habit, state.level) < 0.6
    active = np.where(state.orders == 0, 0, np.where(fading, 2, 1))
    return np.where(gone, 3, active).astype(np.int64)


def _words(codes: Ints, words: tuple[str, ...]) -> pa.DictionaryArray:
    """Turn codes into words; a negative code is null."""
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(words))
