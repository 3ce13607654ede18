"""How customers change from day to day: one statement of it, for the shop and for the truth.

The shop's run feeds :func:`advance` with what happened (0 or 1); the true risk feeds the same
function with what is expected. A day goes: perhaps an order, else perhaps a visit; then perhaps
leaving for good; then the state advances.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from churnguard.events.simulation.draws import Floats, Ints
from churnguard.events.simulation.people import People
from churnguard.events.simulation.season import OFFER_LASTS_DAYS, ShopCalendar

LEAVING = (0.0028, 0.0034, 0.0019, 0.0026, 0.0045, 0.0060)
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
LATE_WEIGHS, WAITING_WEIGHS = 1.5, 0.12
"""Burden of a late delivery, and of each day on which a ticket stays open after the second."""

_MOOD_WEIGHT = 0.35
_KEPT = np.array([[1.0 - 1.0 / days] for days in FADES.values()])


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
    bond : float64
        How easily the customer leaves, from :func:`bond_of`.
    late_on, ticket_from, ticket_until, offered_on : int64
        Days on which a late delivery becomes plain, the open ticket begins and ends, and the
        last offer came; far in the past where there is none.
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
    bond: Floats
    late_on: Ints
    ticket_from: Ints
    ticket_until: Ints
    offered_on: Ints
    idle: Floats

    def take(self, rows: Ints) -> Self:
        """Return a copy of these rows."""
        return type(self)(**{f.name: getattr(self, f.name)[..., rows] for f in fields(self)})


@dataclass(frozen=True)
class Nature:
    """What :class:`People` means for their days; float64 arrays (n,) unless said.

    Attributes
    ----------
    group : int64
        The neighbourhood.
    order, visit : float64
        Daily chances when all is well.
    weights : float64 (4, n)
        What each burden takes from satisfaction.
    leave : float64 (6, n)
        Hazard of leaving per unit of each cause.
    offer_orders, offer_leaving : float64
        What an open offer adds to orders and to leaving, as a share.
    memory, refill, fall : float64
        How fast habit and need move in a day; the daily chance that the need begins to fall.
    cart_left, search_empty, mailable : float64
        As in :class:`People`.
    """

    group: Ints
    order: Floats
    visit: Floats
    weights: Floats
    leave: Floats
    offer_orders: Floats
    offer_leaving: Floats
    memory: Floats
    refill: Floats
    fall: Floats
    cart_left: Floats
    search_empty: Floats
    mailable: Floats

    def take(self, rows: Ints) -> Self:
        """Return these rows."""
        return type(self)(**{f.name: getattr(self, f.name)[..., rows] for f in fields(self)})


def nature_of(people: People) -> Nature:
    """Return what these people mean for their days."""
    return Nature(
        group=people.group,
        order=ORDER_RATE / people.cycle,
        visit=people.visits,
        weights=_MOOD_WEIGHT * (0.4 + 0.6 * people.sensitivity[2:]),
        leave=np.asarray(LEAVING)[:, None] * people.sensitivity,
        offer_orders=np.asarray(OFFER_ORDERS)[people.response] - 1.0,
        offer_leaving=np.asarray(OFFER_LEAVING)[people.response] - 1.0,
        memory=np.clip(people.visits / 6.0, 1 / 120.0, 0.1),
        refill=np.minimum(REFILL / people.cycle, 0.5),
        fall=people.fall,
        cart_left=people.cart_left,
        search_empty=people.search_empty,
        mailable=people.mailable,
    )


@dataclass(frozen=True)
class Hazards:
    """Daily chances before hidden moods, float64 (n,): an order, a visit without one, leaving.

    ``causes`` is what each cause contributes to leaving, (6, n), up to a factor a customer.
    """

    order: Floats
    visit: Floats
    leave: Floats
    causes: list[Floats]


def satisfaction(nature: Nature, state: State) -> Floats:
    """Return satisfaction between 0 and 1: what the burdens, weighed by each customer, leave."""
    weight, burden = nature.weights, state.burden
    felt = weight[0] * burden[0] + weight[1] * burden[1]
    felt += weight[2] * burden[2]
    felt += weight[3] * burden[3]
    happy: Floats = 1.0 / (1.0 + felt)
    return happy


def hazards(
    nature: Nature, state: State, day: int, *, calendar: ShopCalendar, offered: Floats | float
) -> Hazards:
    """Return the chances of one day.

    Parameters
    ----------
    nature, state
        Of n customers.
    day : int
        Counted from the first day of the log.
    calendar : ShopCalendar
        What the day is like.
    offered : float64 array (n,), or one number
        Chance that an offer is open on that day; 0 or 1 where it is known.
    """
    happy = satisfaction(nature, state)
    drawn = np.minimum(state.habit, 1.3)
    order = nature.order * state.need * happy * (0.45 + 0.55 * drawn)
    order *= (0.7 + 0.3 * state.attention) * (1.0 + offered * nature.offer_orders)
    order *= _on_day(calendar.demand, nature, day)
    visit = nature.visit * state.attention * (0.3 + 0.7 * drawn) * (0.4 + 0.6 * happy)
    visit *= 0.3 + 0.7 * np.minimum(state.level, 1.0)
    causes = [
        nature.leave[0] * np.maximum(1.2 - state.habit, 0.0),
        nature.leave[1] * (1.0 - state.level),
        *(nature.leave[2 + k] * state.burden[k] for k in range(4)),
    ]
    common = state.bond * _on_day(calendar.leaving, nature, day)
    common *= 1.0 + offered * nature.offer_leaving
    return Hazards(
        order=np.minimum(order, 0.5),
        visit=np.minimum(visit, 0.9),
        leave=np.minimum(common * sum(causes[1:], start=causes[0]), 0.5),
        causes=causes,
    )


def _on_day(table: Floats, nature: Nature, day: int) -> Floats | float:
    return float(table[0, day]) if len(table) == 1 else table[nature.group, day]


def advance(
    nature: Nature,
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
    state.habit += nature.memory * (visited / nature.visit - state.habit)
    np.minimum(state.habit, 2.0, out=state.habit)
    state.falling += (1.0 - state.falling) * begins_to_fall
    state.level *= 1.0 - FALLING * state.falling
    state.need += nature.refill * (state.level - state.need)
    state.attention += (1.0 - state.attention) / ATTENTION_FADES + stirred
    np.maximum(state.attention, 0.2, out=state.attention)
    np.minimum(state.attention, 1.8, out=state.attention)
    state.burden *= _KEPT
    state.burden[0] += carts
    state.burden[1] += empties
    state.burden[2] += LATE_WEIGHS * (state.late_on == day)
    waiting = (state.ticket_from + 2 <= day) & (day < state.ticket_until)
    state.burden[3] += WAITING_WEIGHS * waiting


def bond_of(orders: Floats) -> Floats:
    """Return how easily customers leave after so many orders: never before the first.

    Examples
    --------
    >>> bond_of(np.array([0.0, 1.0, 9.0])).round(2).tolist()
    [0.0, 1.29, 0.7]
    """
    bond: Floats = (orders > 0) / (0.45 + 1.3 * orders / (orders + 3.0))
    return bond


def offer_open(state: State, day: int) -> Floats:
    """Return 1 where an offer made before is still open, else 0."""
    return (day - state.offered_on < OFFER_LASTS_DAYS).astype(np.float64)
