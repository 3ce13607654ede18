"""How customers change from day to day: one statement of it, for the shop and for the truth.

The shop's run feeds :func:`advance` with what happened (0 or 1); the true risk feeds the same function
with what is expected. A day goes: perhaps an order, else perhaps a visit; then perhaps leaving for
good; then the state advances.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from churnguard.events.simulation.draws import Floats, Ints
from churnguard.events.simulation.people import People
from churnguard.events.simulation.plan import CAUSES
from churnguard.events.simulation.season import OFFER_LASTS_DAYS, ShopCalendar

LEAVING = (0.0025, 0.0034, 0.0022, 0.0027, 0.0046, 0.0055)
"""Daily hazard of leaving for each cause, per unit of its burden and of sensitivity."""

FADES = {"carts": 30.0, "searches": 35.0, "delivery": 50.0, "service": 50.0}
"""Days over which a burden falls to about a third."""

ORDER_RATE = 1.75
"""Orders per own cycle that a full need brings on."""

REFILL = 1.5
"""How fast the need comes back after an order, per own cycle."""

FALLING = 0.03
"""Share of the level of need that is lost a day, once it falls."""

OFFER_ORDERS = (1.9, 1.0, 1.0, 0.6)
OFFER_LEAVING = (0.35, 1.0, 1.0, 4.0)
"""What an open offer multiplies orders and leaving by, in the order of ``RESPONSE_TYPES``."""

HIDDEN_MOODS = (1.7, 0.25)
"""In a misspecified shop: what a keen and an idle spell multiply orders by."""

HIDDEN_SWITCH = (1 / 50.0, 1 / 35.0)
"""Daily chance of ending a keen and an idle spell."""

ATTENTION_FADES, ATTENTION_NOISE = 20.0, 0.10
_MOOD_WEIGHT = 0.35


@dataclass
class State:
    """What goes on inside customers; float64 arrays (n,), days as int64.

    Attributes
    ----------
    need, level : float64
        The wish to buy now, and the level to which it comes back.
    falling : float64
        1 once the level falls.
    habit : float64
        Own visits lately, relative to the usual; 1 is usual.
    attention : float64
        Openness to what the shop says; 1 is usual.
    burden : float64 (4, n)
        What carts, searches, deliveries and service have left behind.
    orders : float64
        Orders so far.
    late_on, ticket_from, ticket_until, offered_on : int64
        Days on which a late delivery becomes plain, the open ticket begins and ends, and the last
        offer came; far in the past where there is none.
    idle : float64
        1 in an idle spell (a misspecified shop only).
    """

    need: Floats
    level: Floats
    falling: Floats
    habit: Floats
    attention: Floats
    burden: Floats
    orders: Floats
    late_on: Ints
    ticket_from: Ints
    ticket_until: Ints
    offered_on: Ints
    idle: Floats

    def take(self, rows: Ints) -> Self:
        """Return a copy of these rows."""
        return type(self)(**{f.name: getattr(self, f.name)[..., rows] for f in fields(self)})


@dataclass(frozen=True)
class Hazards:
    """Daily chances, before hidden moods: an order, a visit without one, leaving by cause (6, n)."""

    order: Floats
    visit: Floats
    leave: Floats


def mood(people: People, state: State) -> Floats:
    """Return satisfaction between 0 and 1: what the burdens, as this customer weighs them, leave."""
    weights = 0.4 + 0.6 * people.sensitivity[2:]
    return 1.0 / (1.0 + _MOOD_WEIGHT * (weights * state.burden).sum(axis=0))


def hazards(
    people: People, state: State, day: int, calendar: ShopCalendar, offered: Floats
) -> Hazards:
    """Return the chances of one day.

    Parameters
    ----------
    day : int
        Counted from the first day of the log.
    offered : float64 array (n,)
        Chance that an offer is open on that day; 0 or 1 where it is known.
    """
    happy = mood(people, state)
    drawn = np.minimum(state.habit, 1.3)
    persuaded = 1.0 + offered * (np.asarray(OFFER_ORDERS)[people.response] - 1.0)
    order = ORDER_RATE / people.cycle * state.need * happy * (0.45 + 0.55 * drawn)
    order *= (0.7 + 0.3 * state.attention) * persuaded * calendar.demand[people.group, day]
    visit = people.visits * state.attention * (0.3 + 0.7 * drawn) * (0.4 + 0.6 * happy)
    visit *= 0.3 + 0.7 * np.minimum(state.level, 1.0)
    return Hazards(
        order=np.minimum(order, 0.5),
        visit=np.minimum(visit, 0.9),
        leave=_leaving(people, state, day, calendar, offered),
    )


def _leaving(
    people: People, state: State, day: int, calendar: ShopCalendar, offered: Floats
) -> Floats:
    """Loyalty (orders so far) protects; each cause is its burden times how much it weighs."""
    bond = 1.0 / (0.45 + 1.3 * state.orders / (state.orders + 3.0))
    driven = 1.0 + offered * (np.asarray(OFFER_LEAVING)[people.response] - 1.0)
    common = bond * driven * calendar.leaving[people.group, day]
    silence = np.maximum(1.2 - state.habit, 0.0)
    burdens = np.vstack([silence, 1.0 - state.level, state.burden])
    return np.asarray(LEAVING)[:, None] * burdens * people.sensitivity * common


def advance(
    people: People,
    state: State,
    day: int,
    *,
    visited: Floats,
    carts: Floats,
    empties: Floats,
    begins_to_fall: Floats,
    stirred: Floats | float = 0.0,
) -> None:
    """Carry the state over the day, in place.

    Parameters
    ----------
    visited, carts, empties : float64 array (n,)
        Visits, carts left and empty searches of the day: what happened, or what is expected.
    begins_to_fall : float64 array (n,)
        1 (or the chance) where the need begins to fall today.
    stirred : float64 array (n,)
        Noise of attention.
    """
    memory = np.clip(people.visits / 6.0, 1 / 120.0, 0.1)
    state.habit += memory * (np.minimum(visited / people.visits, 8.0 / memory) - state.habit)
    np.minimum(state.habit, 2.0, out=state.habit)
    state.falling += (1.0 - state.falling) * begins_to_fall
    state.level *= 1.0 - FALLING * state.falling
    state.need += np.minimum(REFILL / people.cycle, 0.5) * (state.level - state.need)
    state.attention += (1.0 - state.attention) / ATTENTION_FADES + stirred
    np.clip(state.attention, 0.2, 1.8, out=state.attention)
    state.burden[0] += carts - state.burden[0] / FADES["carts"]
    state.burden[1] += empties - state.burden[1] / FADES["searches"]
    state.burden[2] += 1.5 * (state.late_on == day) - state.burden[2] / FADES["delivery"]
    waiting = (state.ticket_from + 2 <= day) & (day < state.ticket_until)
    state.burden[3] += 0.12 * waiting - state.burden[3] / FADES["service"]


def offer_open(state: State, day: int) -> Floats:
    """Return 1 where an offer made before is still open, else 0."""
    return (day - state.offered_on < OFFER_LASTS_DAYS).astype(np.float64)


assert len(LEAVING) == len(CAUSES)
