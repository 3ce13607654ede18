"""The truth about every customer at points in time, which no shop can know.

The true risk P(no order in the next H days) is computed from the state, not drawn: along the days
without an order the hazards are followed with what is expected to happen (visits, carts, empty
searches), and the chances of an order while still there are added up. What befalls the whole shop
(season, shocks) is known. What is left out is the spread around what is expected; tests hold the
result against what then happens.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from churnguard.events.simulation.draws import Floats, Ints
from churnguard.events.simulation.dynamics import (
    HIDDEN_MOODS,
    HIDDEN_SWITCH,
    Nature,
    State,
    advance,
    hazards,
    offer_open,
    satisfaction,
)
from churnguard.events.simulation.plan import CAUSES, KINDS, RESPONSE_TYPES
from churnguard.events.simulation.season import OFFER_LASTS_DAYS, OFFER_SHARE, ShopCalendar
from churnguard.events.simulation.streaks import streaks
from churnguard.events.simulation.world import World

SEARCHES_A_VISIT = 0.77
"""Searches in a usual visit: the mean of the shares in ``world``."""

STATES = ("prospect", "active", "fading", "gone")
"""Has not ordered yet; orders as usual; habit or need at less than 60 %; has left for good."""


def no_order_chance(
    nature: Nature, state: State, day: int, *, calendar: ShopCalendar, horizon_days: int
) -> Floats:
    """Return P(no order on any of ``horizon_days`` days from ``day``), for customers who are there.

    Parameters
    ----------
    nature, state
        The customers asked about; the state is changed.
    day : int
        The first day of the horizon.
    calendar : ShopCalendar
        Must reach to the end of the horizon.
    horizon_days : int

    Returns
    -------
    float64 array (n,)
    """
    there = np.stack([1.0 - state.idle, state.idle]) if calendar.hidden_moods else None
    still = np.ones(len(state.need))
    ordered = np.zeros(len(still))
    falls = nature.fall * (state.orders > 0)
    empties = nature.search_empty * SEARCHES_A_VISIT
    for ahead in range(day, day + horizon_days):
        offered = _offered(nature, state, day, ahead, calendar)
        chances = hazards(nature, state, ahead, calendar=calendar, offered=offered)
        if there is None:
            bought = still * chances.order
            still = (still - bought) * (1.0 - chances.leave)
        else:
            there, bought = _pass_moody_day(there, chances.order)
            there *= 1.0 - chances.leave
        ordered += bought
        advance(
            nature,
            state,
            ahead,
            visited=chances.visit,
            carts=chances.visit * nature.cart_left,
            empties=chances.visit * empties,
            begins_to_fall=falls,
        )
    return 1.0 - ordered


def _pass_moody_day(there: Floats, order: Floats) -> tuple[Floats, Floats]:
    """Return chances (2, n) of being there in a keen and an idle spell, and of having ordered."""
    bought = there * np.minimum(order * np.asarray(HIDDEN_MOODS)[:, None], 0.5)
    left = there - bought
    keen = left[0] * (1 - HIDDEN_SWITCH[0]) + left[1] * HIDDEN_SWITCH[1]
    return np.stack([keen, left[0] + left[1] - keen]), bought[0] + bought[1]


def _offered(
    nature: Nature, state: State, today: int, ahead: int, calendar: ShopCalendar
) -> Floats | float:
    """Offers already made are known; of campaigns to come, a share of the mailable is expected."""
    if calendar.campaign[ahead] < 0 and ahead >= today + OFFER_LASTS_DAYS:
        return 0.0
    open_now = offer_open(state, ahead)
    if calendar.campaign[ahead] >= today:
        to_come = OFFER_SHARE * nature.mailable * (state.orders > 0)
        return open_now + (1.0 - open_now) * to_come
    return open_now


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
        nature, state = world.nature.take(rows), world.state.take(rows)
        chances = hazards(
            nature, state, day, calendar=world.calendar, offered=offer_open(state, day)
        )
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
                "satisfaction": satisfaction(nature, state),
                **{name: state.burden[k] for k, name in enumerate(CAUSES[2:])},
                "order_hazard": np.where(gone, 0.0, chances.order),
                "leave_hazard": np.where(gone, 0.0, chances.leave),
                "churn_risk": risk,
                "churn_risk_if_offered": risk_if_offered,
            }
        )

    def _risks(self, rows: Ints, day: int) -> tuple[Floats, Floats]:
        """Return both risks: as things stand, and with an offer made today, where that matters."""
        world, n = self._world, len(rows)
        moved = np.flatnonzero(world.nature.offer_orders[rows])
        both = np.concatenate([rows, rows[moved]])
        nature, state = world.nature.take(both), world.state.take(both)
        state.offered_on[n:] = day
        risks = no_order_chance(
            nature, state, day, calendar=world.calendar, horizon_days=self._horizon
        )
        offered = risks[:n].copy()
        offered[moved] = risks[n:]
        return risks[:n], offered

    def table(self, names: pa.Array) -> pa.Table:
        """Return all that was noted, sorted by customer and day."""
        world = self._world
        columns = {key: np.concatenate([d[key] for d in self._days]) for key in self._days[0]}
        order = np.lexsort([columns["day"], columns["customer"]])
        columns = {key: values[order] for key, values in columns.items()}
        customer, day = columns.pop("customer"), columns.pop("day")
        states = columns.pop("state")
        counted = streaks(world.happenings().visits, customer, day)
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
                **{key: pa.array(counts) for key, counts in counted.items()},
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
