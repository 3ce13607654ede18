"""What comes after an order and beside it: refunds, cancellations, tickets, surveys, mails."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from churnguard.events.simulation.baskets import Orders
from churnguard.events.simulation.draws import Floats, Ints, normals, stream, wholes
from churnguard.events.simulation.log import NONE, EventLog
from churnguard.events.simulation.season import ShopCalendar
from churnguard.events.simulation.world import TICKET_TOPICS, Record, Run

REFUND_USUAL, REFUND_AFTER_TICKET = 0.035, 0.30
"""Chance that an order is refunded, in whole or its first line only."""

CSAT_ANSWERED, REVIEWED, CES_ANSWERED = 0.14, 0.05, 0.4
"""Shares of orders and of closed tickets after which a customer says something."""

_REQUEST = 10_000_019
_DAY = 86_400


def write_service(log: EventLog, run: Run, orders: Orders) -> None:
    """Add all events that are not part of a visit."""
    rng = stream(run.plan.seed, "service")
    after = _after_orders(run, orders)
    _money_back(log, after, rng)
    _tickets(log, run, after, rng)
    _opinions(log, after, rng)
    _recommendations(log, run, rng)
    _mails(log, run, rng)


def _after_orders(run: Run, orders: Orders) -> Record:
    """Orders with what the run fixed about them; further orders of a visit come without trouble."""
    rows = np.flatnonzero(orders.first)
    fixed = {name: values[orders.source[rows]] for name, values in run.happened.orders.items()}
    names = ("number", "customer", "second", "cents", "product", "product_cents")
    return fixed | {name: getattr(orders, name)[rows] for name in names}


def _money_back(log: EventLog, after: Record, rng: np.random.Generator) -> None:
    """Cancel some orders within hours, refund some a week or three later."""
    u = rng.random((4, len(after["number"])))
    cancelled = after["cancelled"] == 1
    chance = np.where(after["ticket_on"] >= 0, REFUND_AFTER_TICKET, REFUND_USUAL)
    refunded = ~cancelled & (u[0] < chance)
    partly = refunded & (u[1] < 0.6)
    cents = np.where(partly, after["product_cents"], after["cents"])
    product = np.where(partly, after["product"], NONE)
    for event, chosen, wait in (
        ("order_cancelled", cancelled, 600 + wholes(u[2], 7_200)),
        ("order_refunded", refunded, 7 * _DAY + wholes(u[3], 14 * _DAY)),
    ):
        rows = np.flatnonzero(chosen)
        log.add(
            event,
            customer=after["customer"][rows],
            second=after["second"][rows] + wait[rows],
            request=_REQUEST + after["number"][rows],
            order=after["number"][rows],
            cents=cents[rows],
            product=product[rows],
        )


def _tickets(log: EventLog, run: Run, after: Record, rng: np.random.Generator) -> None:
    """Open and close tickets by day; ask some customers how hard it was (1 to 7)."""
    asked = np.flatnonzero(after["ticket_on"] >= 0)
    ticket = {name: values[asked] for name, values in after.items()}
    u = rng.random((4, len(asked)))
    topics = _word(ticket["topic"], TICKET_TOPICS)
    names = pa.array([f'{{"ticket":"T{number:06d}"}}' for number in asked], pa.string())
    for event, day, hours in (
        ("support_ticket_opened", ticket["ticket_on"], u[0]),
        ("support_ticket_closed", ticket["ticket_until"], u[1]),
    ):
        rows = np.flatnonzero(day < run.plan.days)
        log.add(
            event,
            customer=ticket["customer"][rows],
            second=_moment(run.calendar, day[rows], hours[rows]),
            request=2 * _REQUEST + ticket["number"][rows],
            order=ticket["number"][rows],
            kind=topics.take(pa.array(rows)),
            properties=names.take(pa.array(rows)),
        )
    took = ticket["ticket_until"] - ticket["ticket_on"]
    ease = np.clip(np.rint(6.4 - took / 6.0 + normals(rng, len(took))), 1, 7)
    told = np.flatnonzero((ticket["ticket_until"] + 1 < run.plan.days) & (u[2] < CES_ANSWERED))
    when = _moment(run.calendar, ticket["ticket_until"][told] + 1, u[3][told])
    _surveys(log, "ces", ticket["customer"][told], when, ease[told])


def _opinions(log: EventLog, after: Record, rng: np.random.Generator) -> None:
    """Ask about two weeks after an order how it was (1 to 5); a few write a review (1 to 5)."""
    u = rng.random((3, len(after["number"])))
    trouble = (after["late_on"] >= 0) * 1.3 + (after["ticket_on"] >= 0) * 0.7
    happy = 1.6 + 3.2 * after["mood"] - trouble + 0.7 * normals(rng, len(trouble))
    stars = np.clip(np.rint(happy), 1, 5)
    when = after["second"] + 10 * _DAY + wholes(u[0], 8 * _DAY)
    arrived = after["cancelled"] == 0
    told = np.flatnonzero(arrived & (u[1] < CSAT_ANSWERED))
    rows = np.flatnonzero(arrived & (u[2] < REVIEWED))
    _surveys(log, "csat", after["customer"][told], when[told], stars[told])
    log.add(
        "product_reviewed",
        customer=after["customer"][rows],
        second=when[rows] + 3_600,
        request=3 * _REQUEST + after["number"][rows],
        product=after["product"][rows],
        number=stars[rows],
    )


def _recommendations(log: EventLog, run: Run, rng: np.random.Generator) -> None:
    """Ask at any time how likely it is that the customer recommends the shop (0 to 10)."""
    surveys = run.happened.surveys
    size = len(surveys["day"])
    score = np.clip(np.rint(11.5 * surveys["mood"] - 0.8 + 1.6 * normals(rng, size)), 0, 10)
    when = _moment(run.calendar, surveys["day"], rng.random(size))
    _surveys(log, "nps", surveys["customer"], when, score)


def _surveys(log: EventLog, kind: str, customer: Ints, second: Ints, score: Floats) -> None:
    log.add(
        "survey_answered",
        customer=customer,
        second=second,
        request=second,
        number=score,
        kind=_word(np.zeros(len(customer), np.int64), (kind,)),
    )


def _mails(log: EventLog, run: Run, rng: np.random.Generator) -> None:
    """Add what is done with a weekly newsletter: opened the same day, clicked, the last one."""
    mails = run.happened.mails
    size = len(mails["day"])
    opened = _moment(run.calendar, mails["day"], rng.random(size))
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
        )


def _word(codes: Ints, words: tuple[str, ...]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(words))


def _moment(calendar: ShopCalendar, day: Ints, u: Floats) -> Ints:
    """Return seconds of a moment between 8:00 and 20:00 on a day."""
    moment: Ints = calendar.starts[day] // 1_000_000 + 8 * 3_600 + wholes(u, 12 * 3_600)
    return moment
