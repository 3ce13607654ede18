"""The run of the shop, day by day: who visits, orders, waits, answers mails, and leaves.

What is recorded here is coarse (one row a visit, an order, a mail); the other modules fill in the
events. Everything that feeds back into the customers' states is decided here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnguard.events.simulation.assortment import Assortment
from churnguard.events.simulation.draws import Bools, Floats, Ints, counts, normals, stream, wholes
from churnguard.events.simulation.dynamics import (
    ATTENTION_NOISE,
    HIDDEN_MOODS,
    HIDDEN_SWITCH,
    Hazards,
    State,
    advance,
    bond_of,
    hazards,
    nature_of,
    offer_open,
    satisfaction,
)
from churnguard.events.simulation.people import People
from churnguard.events.simulation.plan import SimulationPlan
from churnguard.events.simulation.season import OFFER_SHARE, ShopCalendar

NEVER = -10_000
"""A day far in the past."""

EXTRA_ORDERS = (0.905, 0.07, 0.02, 0.005)
"""Shares of order days with 0, 1, 2, 3 further orders.

Online Retail II: 14 % of the gaps are shorter than a day.
"""

FIRST_VISIT_ORDERS = 0.85
"""Chance that a new account orders on its first day."""

TICKET_TOPICS = (
    "late_delivery",
    "damaged_item",
    "wrong_item",
    "refund_request",
    "product_question",
)
_NEWSLETTER_DAY = 1
_SOMETIMES = {
    "mails": ("clicked", "unsubscribed"),
    "surveys": ("mood",),
    "offers": ("offered",),
}
_STRAY_VISITS, _STRAY_OPENS = 0.02, 0.02

Record = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Happenings:
    """What happened, as columns by name.

    Attributes
    ----------
    visits, orders, mails, surveys, offers : dict of arrays
        A row each, in the order of days; ``customer`` and ``day`` in all of them.
    left_on : int64 array (n,)
        Day of leaving for good, or -1.
    cause : int64 array (n,)
        Index into ``CAUSES``, or -1.
    """

    visits: Record
    orders: Record
    mails: Record
    surveys: Record
    offers: Record
    left_on: Ints
    cause: Ints


@dataclass(frozen=True)
class Run:
    """A finished run, for those who write down its events."""

    plan: SimulationPlan
    people: People
    calendar: ShopCalendar
    assortment: Assortment
    happened: Happenings


class World:
    """A shop that can be run for a day at a time."""

    def __init__(self, plan: SimulationPlan, people: People, calendar: ShopCalendar) -> None:
        n = plan.customers
        self.plan, self.people, self.calendar = plan, people, calendar
        self.nature = nature_of(people)
        self.state = _first_state(plan, people)
        self.gone: Bools = np.zeros(n, dtype=bool)
        self.left_on: Ints = np.full(n, -1, dtype=np.int64)
        self.cause: Ints = np.full(n, -1, dtype=np.int64)
        self._rng = stream(plan.seed, "days")
        self._records: dict[str, list[Record]] = defaultdict(list)
        self._mailable: Bools = people.mailable > 0

    def live(self, day: int) -> None:
        """Run one day."""
        people, state = self.people, self.state
        self._make_offers(day)
        chances = hazards(
            self.nature, state, day, calendar=self.calendar, offered=offer_open(state, day)
        )
        here = (people.created <= day) & ~self.gone
        u = self._rng.random((7, self.plan.customers))
        ordered, visited = self._visits(chances, here, day, u)
        self._talk(here, day)
        carts, empties = self._browse(visited, ordered, day, u[2:5])
        self._order(ordered, day)
        self._leave(chances, here, day, u[5])
        falls = (here & (u[6] < people.fall) & (state.orders > 0)).astype(np.float64)
        noise = ATTENTION_NOISE * (self._rng.random(self.plan.customers) - 0.5) * here
        seen = (visited | ordered).astype(np.float64)
        before = people.created > day
        advance(
            self.nature,
            state,
            day,
            visited=np.where(before, people.visits, seen),
            carts=carts,
            empties=empties,
            begins_to_fall=falls,
            stirred=noise,
        )

    def happenings(self) -> Happenings:
        """Return what was recorded."""
        return Happenings(
            visits=self._joined("visits"),
            orders=self._joined("orders"),
            mails=self._joined("mails"),
            surveys=self._joined("surveys"),
            offers=self._joined("offers"),
            left_on=self.left_on,
            cause=self.cause,
        )

    def _joined(self, name: str) -> Record:
        """Join the days; what happens on some days only begins with an empty one."""
        nothing = np.empty(0, dtype=np.int64)
        empty = dict.fromkeys(("customer", "day", *_SOMETIMES.get(name, ())), nothing)
        records = self._records[name] or [empty]
        return {key: np.concatenate([record[key] for record in records]) for key in records[0]}

    def _visits(self, chances: Hazards, here: Bools, day: int, u: Floats) -> tuple[Bools, Bools]:
        order = chances.order
        if self.plan.misspecified:
            idle = self.state.idle > 0
            order = np.minimum(order * np.where(idle, HIDDEN_MOODS[1], HIDDEN_MOODS[0]), 0.5)
            switch = np.where(idle, HIDDEN_SWITCH[1], HIDDEN_SWITCH[0])
            turn = self._rng.random(len(idle)) < switch
            self.state.idle = np.where(turn, 1.0 - self.state.idle, self.state.idle)
        arriving = here & (self.people.created == day)
        order = np.where(arriving, FIRST_VISIT_ORDERS, order)
        visit = np.where(self.gone, _STRAY_VISITS * self.people.visits, chances.visit)
        ordered = here & (u[0] < order)
        arrived = here | (self.gone & (self.people.created <= day))
        visited = arrived & ~ordered & ((u[1] < visit) | arriving)
        return ordered, visited

    def _browse(self, visited: Bools, ordered: Bools, day: int, u: Floats) -> tuple[Floats, Floats]:
        """Record all visits; return carts left and empty searches, zero where nobody came."""
        people, state = self.people, self.state
        rows = np.flatnonzero(visited | ordered)
        buys = ordered[rows]
        searches = counts(u[0, rows], (0.5, 0.3, 0.13, 0.07))
        chance = np.minimum(people.search_empty[rows] * np.where(buys, 0.5, 1.0), 0.9)
        empty = np.minimum(counts_of_hits(u[1, rows], chance, searches), searches)
        left = ~buys & (u[2, rows] < people.cart_left[rows])
        self._note(
            "visits",
            customer=rows,
            day=np.full(len(rows), day),
            bought=buys.astype(np.int64),
            cart_left=left.astype(np.int64),
            searches=searches,
            empty=empty,
            level=state.level[rows],
        )
        carts, empties = np.zeros(len(visited)), np.zeros(len(visited))
        carts[rows] = left
        empties[rows] = np.minimum(empty, 2)
        return carts, empties

    def _order(self, ordered: Bools, day: int) -> None:
        """Record orders, fix what will come of each, and let the need fall."""
        people, state = self.people, self.state
        rows = np.flatnonzero(ordered)
        u = self._rng.random((8, len(rows)))
        cancelled = u[0] < 0.012
        free = (state.late_on[rows] < day) & ~cancelled
        late = free & (u[1] < people.late[rows])
        late_on = day + 5 + wholes(u[2], 4)
        helpless = state.ticket_until[rows] <= day
        complains = late & helpless & (u[3] < 0.55)
        other = ~late & ~cancelled & helpless & (u[3] < people.ticket[rows])
        opens = np.where(complains, late_on, day + 3 + wholes(u[4], 8))
        slow = u[5] < people.slow_service[rows]
        closes = opens + np.where(slow, 8 + wholes(u[6], 25), 1 + wholes(u[6], 3))
        asks = complains | other
        state.late_on[rows] = np.where(late, late_on, state.late_on[rows])
        state.ticket_from[rows] = np.where(asks, opens, state.ticket_from[rows])
        state.ticket_until[rows] = np.where(asks, closes, state.ticket_until[rows])
        self._note(
            "orders",
            customer=rows,
            day=np.full(len(rows), day),
            further=counts(self._rng.random(len(rows)), EXTRA_ORDERS),
            cancelled=cancelled.astype(np.int64),
            late_on=np.where(late, late_on, -1),
            ticket_on=np.where(asks, opens, -1),
            ticket_until=np.where(asks, closes, -1),
            topic=np.where(complains, 0, 1 + wholes(u[7], len(TICKET_TOPICS) - 1)),
            level=state.level[rows],
            mood=satisfaction(self.nature, state)[rows],
            offer=np.where(offer_open(state, day)[rows] > 0, state.offered_on[rows], -1),
        )
        state.orders[rows] += 1.0
        state.bond[rows] = bond_of(state.orders[rows])
        state.need[rows] *= 0.2
        first_and_last = (people.kind[rows] == 1) & (state.orders[rows] == 1)
        state.level[rows] = np.where(first_and_last, 0.03, state.level[rows])
        state.falling[rows] = np.where(first_and_last, 1.0, state.falling[rows])
        state.burden[:2, rows] *= 0.5

    def _leave(self, chances: Hazards, here: Bools, day: int, u: Floats) -> None:
        """Those who leave do so for one cause, drawn by the causes' shares of their hazard."""
        rows = np.flatnonzero(here & (self.state.orders > 0) & (u < chances.leave))
        upto = np.cumsum([part[rows] for part in chances.causes], axis=0)
        self.gone[rows] = True
        self.left_on[rows] = day
        drawn = u[rows] / chances.leave[rows] * upto[-1]
        self.cause[rows] = np.minimum((drawn >= upto).sum(axis=0), len(upto) - 1)

    def _make_offers(self, day: int) -> None:
        if day >= self.plan.days or self.calendar.campaign[day] != day:
            return
        may = self._mailable & (self.people.created < day) & (self.state.orders > 0)
        rows = np.flatnonzero(may)
        offered = self._rng.random(len(rows)) < OFFER_SHARE
        self.state.offered_on[rows[offered]] = day
        self._note(
            "offers", customer=rows, day=np.full(len(rows), day), offered=offered.astype(np.int64)
        )

    def _talk(self, here: Bools, day: int) -> None:
        """Send the weekly newsletter; ask a few how likely they are to recommend the shop."""
        if self.calendar.weekday[day] != _NEWSLETTER_DAY:
            return
        people, state = self.people, self.state
        rows = np.flatnonzero(self._mailable & (people.created < day))
        u = self._rng.random((4, len(rows)))
        happy = satisfaction(self.nature, state)
        opens = people.mail[rows] * state.attention[rows] * (0.3 + 0.7 * happy[rows])
        opens = np.where(here[rows], opens * (0.4 + 0.6 * state.level[rows]), _STRAY_OPENS)
        opened = u[0] < opens
        unsubscribed = opened & (u[2] < 0.004 + 0.03 * (1 - happy[rows]) + 0.02 * self.gone[rows])
        self._note(
            "mails",
            customer=rows[opened],
            day=np.full(int(opened.sum()), day),
            clicked=(u[1] < 0.22)[opened].astype(np.int64),
            unsubscribed=unsubscribed[opened].astype(np.int64),
        )
        self._mailable[rows[unsubscribed]] = False
        asked = rows[(u[3] < 0.008) & here[rows] & (state.orders[rows] > 0)]
        self._note("surveys", customer=asked, day=np.full(len(asked), day), mood=happy[asked])

    def _note(self, name: str, **columns: Ints | Floats) -> None:
        self._records[name].append(columns)


def counts_of_hits(u: Floats, chance: Floats, tries: Ints) -> Ints:
    """Return how many of up to three tries hit, from one uniform draw each (inverse binomial)."""
    miss = 1.0 - chance
    none = miss**tries
    return (u >= none).astype(np.int64) + (u >= none + tries * chance * miss ** (tries - 1)).astype(
        np.int64
    )


def _first_state(plan: SimulationPlan, people: People) -> State:
    """Return the state: new accounts come with a need, older ones are somewhere in their cycle."""
    n, rng = plan.customers, stream(plan.seed, "first state")
    before = people.created < 0
    never = np.full(n, NEVER, dtype=np.int64)
    u = rng.random((3, n))
    years = np.minimum(-people.created, 720) / np.maximum(people.cycle, 12.0)
    orders = np.where(before, 1.0 + np.floor(u[1] * years), 0.0)
    return State(
        need=np.where(before, u[0], 0.9),
        level=np.ones(n),
        falling=np.zeros(n),
        habit=np.ones(n),
        attention=np.clip(1.0 + 0.15 * normals(rng, n), 0.3, 1.7),
        burden=np.zeros((4, n)),
        orders=orders,
        bond=bond_of(orders),
        late_on=never.copy(),
        ticket_from=never.copy(),
        ticket_until=never.copy(),
        offered_on=never.copy(),
        idle=(u[2] < 0.4).astype(np.float64) if plan.misspecified else np.zeros(n),
    )
