"""What comes after an order and beside it: refunds, cancellations, tickets, surveys, mails."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from churnguard.events.simulation.draws import Floats, Ints, normals, stream, wholes
from churnguard.events.simulation.log import NONE, EventLog
from churnguard.events.simulation.plan import SimulationPlan
from churnguard.events.simulation.season import ShopCalendar
from churnguard.events.simulation.visits import Orders
from churnguard.events.simulation.world import TICKET_TOPICS, Happenings

REFUND_USUAL, REFUND_AFTER_TICKET = 0.035, 0.30
"""Chance that an order is refunded, in whole or the first line of it."""

_REQUEST = 10_000_019
_DAY = 86_400


def write_service(
    log: EventLog,
    plan: SimulationPlan,
    calendar: ShopCalendar,
    happened: Happenings,
    orders: Orders,
) -> None:
    """Add all events that are not part of a visit."""
    rng = stream(plan.seed, "service")
    firsts = np.flatnonzero(orders.first)
    booked = {name: values[orders.source[firsts]] for name, values in happened.orders.items()}
    _money_back(log, orders, firsts, booked, rng)
    _tickets(log, plan, calendar, orders, firsts, booked, rng)
    _reviews(log, orders, firsts, booked, rng)
    _recommendations(log, calendar, happened, rng)
    _mails(log, calendar, happened, rng)


def _money_back(
    log: EventLog,
    orders: Orders,
    rows: Ints,
    booked: dict[str, Ints | Floats],
    rng: np.random.Generator,
) -> None:
    """Cancelled orders are cancelled within hours; others may be refunded a week or three later."""
    u = rng.random((4, len(rows)))
    cancelled = booked["cancelled"] == 1
    chance = np.where(booked["ticket_on"] >= 0, REFUND_AFTER_TICKET, REFUND_USUAL)
    refunded = ~cancelled & (u[0] < chance)
    partly = u[1] < 0.6
    for event, chosen, wait, cents in (
        ("order_cancelled", cancelled, 600 + wholes(u[2], 7_200), orders.cents[rows]),
        (
            "order_refunded",
            refunded,
            7 * _DAY + wholes(u[3], 14 * _DAY),
            np.where(partly, orders.product_cents[rows], orders.cents[rows]),
        ),
    ):
        mine = rows[chosen]
        log.add(
            event,
            customer=orders.customer[mine],
            second=orders.second[mine] + wait[chosen],
            request=_REQUEST + mine,
            order=orders.number[mine],
            cents=cents[chosen],
            product=np.where(partly, orders.product[rows], NONE)[chosen]
            if event == "order_refunded"
            else np.full(len(mine), NONE),
        )


def _tickets(
    log: EventLog,
    plan: SimulationPlan,
    calendar: ShopCalendar,
    orders: Orders,
    rows: Ints,
    booked: dict[str, Ints | Floats],
    rng: np.random.Generator,
) -> None:
    """Tickets open and close in office hours; after closing, some are asked how hard it was (1 to 7)."""
    asked = np.flatnonzero((booked["ticket_on"] >= 0) & (booked["ticket_on"] < plan.days))
    mine = rows[asked]
    u = rng.random((4, len(mine)))
    topics = pa.DictionaryArray.from_arrays(
        pa.array(booked["topic"][asked].astype(np.int32)), pa.array(TICKET_TOPICS)
    )
    ticket = pa.array([f'{{"ticket":"T{number:06d}"}}' for number in mine], pa.string())
    for event, day, hours in (
        ("support_ticket_opened", booked["ticket_on"][asked], u[0]),
        ("support_ticket_closed", booked["ticket_until"][asked], u[1]),
    ):
        happens = np.flatnonzero(day < plan.days)
        log.add(
            event,
            customer=orders.customer[mine[happens]],
            second=_moment(calendar, day[happens], hours[happens]),
            request=2 * _REQUEST + mine[happens],
            order=orders.number[mine[happens]],
            kind=topics.take(pa.array(happens)),
            properties=ticket.take(pa.array(happens)),
        )
    length = booked["ticket_until"][asked] - booked["ticket_on"][asked]
    answers = np.flatnonzero((booked["ticket_until"][asked] < plan.days - 1) & (u[2] < 0.4))
    effort = np.clip(np.rint(6.4 - length / 6.0 + normals(rng, len(length))), 1, 7)
    _surveys(
        log,
        "ces",
        orders.customer[mine[answers]],
        _moment(calendar, booked["ticket_until"][asked][answers] + 1, u[3][answers]),
        effort[answers],
    )


def _reviews(
    log: EventLog,
    orders: Orders,
    rows: Ints,
    booked: dict[str, Ints | Floats],
    rng: np.random.Generator,
) -> None:
    """About two weeks after an order: satisfaction (1 to 5) for some, a review (1 to 5) from fewer."""
    u = rng.random((4, len(rows)))
    trouble = (booked["late_on"] >= 0) * 1.3 + (booked["ticket_on"] >= 0) * 0.7
    happy = 1.6 + 3.2 * booked["mood"] - trouble + 0.7 * normals(rng, len(rows))
    stars = np.clip(np.rint(happy), 1, 5)
    done = booked["cancelled"] == 0
    when = orders.second[rows] + 10 * _DAY + wholes(u[0], 8 * _DAY)
    csat, review = done & (u[1] < 0.14), done & (u[2] < 0.05)
    _surveys(log, "csat", orders.customer[rows[csat]], when[csat], stars[csat])
    mine = rows[review]
    log.add(
        "product_reviewed",
        customer=orders.customer[mine],
        second=when[review] + 3_600,
        request=3 * _REQUEST + mine,
        product=orders.product[mine],
        number=stars[review],
    )


def _recommendations(
    log: EventLog, calendar: ShopCalendar, happened: Happenings, rng: np.random.Generator
) -> None:
    surveys = happened.surveys
    size = len(surveys["day"])
    score = np.clip(np.rint(11.5 * surveys["mood"] - 0.8 + 1.6 * normals(rng, size)), 0, 10)
    when = _moment(calendar, surveys["day"], rng.random(size))
    _surveys(log, "nps", surveys["customer"], when, score)


def _surveys(log: EventLog, kind: str, customer: Ints, second: Ints, score: Floats) -> None:
    kinds = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(len(customer), np.int32)), pa.array([kind])
    )
    log.add(
        "survey_answered",
        customer=customer,
        second=second,
        request=second,
        number=score,
        kind=kinds,
    )


def _mails(
    log: EventLog, calendar: ShopCalendar, happened: Happenings, rng: np.random.Generator
) -> None:
    """A newsletter a week; opened the same day, perhaps clicked, perhaps the last one."""
    mails = happened.mails
    size = len(mails["day"])
    opened = _moment(calendar, mails["day"], rng.random(size))
    codes, place = np.unique(mails["day"], return_inverse=True)
    names = pa.array([f'{{"campaign":"newsletter-{code:04d}"}}' for code in codes], pa.string())
    campaign = names.take(pa.array(place))
    for event, chosen, later in (
        ("email_opened", np.ones(size, dtype=bool), 0),
        ("email_link_clicked", mails["clicked"] == 1, 25),
        ("unsubscribed", mails["unsubscribed"] == 1, 70),
    ):
        rows = np.flatnonzero(chosen)
        log.add(
            event,
            customer=mails["customer"][rows],
            second=opened[rows] + later,
            request=4 * _REQUEST + mails["day"][rows],
            properties=campaign.take(pa.array(rows)),
            kind=None,
        )


def _moment(calendar: ShopCalendar, day: Ints, u: Floats) -> Ints:
    """Seconds of a moment between 8:00 and 20:00 on a day."""
    return calendar.starts[day] // 1_000_000 + 8 * 3_600 + wholes(u, 12 * 3_600)
