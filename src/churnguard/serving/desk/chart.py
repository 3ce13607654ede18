"""A customer's year as a small picture: orders, visits, tickets, and the silence since.

Only geometry is made here; the template draws it as SVG, and a table tells the same to those who
cannot see it. Time runs from left to right in every language.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from churnguard.jobs.customer_story import Moment

DAYS = 365
WIDTH, HEIGHT = 720, 150
_LEFT, _RIGHT, _TOP, _ORDERS, _VISITS = 14, 706, 18, 96, 112


@dataclass(frozen=True)
class Dot:
    """One order: where, how large, what it stands for."""

    x: float
    y: float
    radius: float
    moment: Moment


@dataclass(frozen=True)
class Chart:
    """What the template draws; all lengths in units of the view box.

    Attributes
    ----------
    orders, refunds : tuple of Dot
        The higher, the dearer.
    visits, tickets : tuple of float
        Places on the time axis; one visit a day.
    months : tuple of (float, datetime)
        Where months begin.
    silence : tuple of two floats, or None
        From the last order to the end.
    silent_days : int or None
        How long that is.
    """

    orders: tuple[Dot, ...]
    refunds: tuple[Dot, ...]
    visits: tuple[float, ...]
    tickets: tuple[float, ...]
    months: tuple[tuple[float, datetime], ...]
    silence: tuple[float, float] | None
    silent_days: int | None
    baseline: float = _ORDERS
    visit_line: float = _VISITS
    width: int = WIDTH
    height: int = HEIGHT


def draw(moments: Sequence[Moment], *, until: datetime, timezone: str) -> Chart | None:
    """Lay out the year before an instant; None if nothing was ordered in it.

    Examples
    --------
    >>> from churnguard.testing import NOON
    >>> chart = draw([Moment(NOON - timedelta(days=73), "order_completed", 50.0)], until=NOON,
    ...              timezone="UTC")
    >>> chart.silent_days, round(chart.orders[0].x)
    (73, 568)
    """
    start = until - timedelta(days=DAYS)
    seen = [moment for moment in moments if start <= moment.at < until]
    orders = [moment for moment in seen if moment.event == "order_completed"]
    if not orders:
        return None
    dearest = max((moment.value or 0.0 for moment in orders), default=0.0)
    last = orders[-1].at

    def place(at: datetime) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * ((at - start) / (until - start)), 1)

    def dots(chosen: Iterable[Moment]) -> tuple[Dot, ...]:
        return tuple(_dot(moment, place(moment.at), dearest) for moment in chosen)

    visits = {place(moment.at) for moment in seen if moment.event == "signed_in"}
    return Chart(
        orders=dots(orders),
        refunds=dots(moment for moment in seen if moment.event == "order_refunded"),
        visits=tuple(sorted(visits)),
        tickets=tuple(place(m.at) for m in seen if m.event == "support_ticket_opened"),
        months=tuple((place(month), month) for month in _months(start, until, timezone)),
        silence=(place(last), _RIGHT),
        silent_days=round((until - last) / timedelta(days=1)),
    )


def _dot(moment: Moment, x: float, dearest: float) -> Dot:
    share = math.sqrt(min((moment.value or 0.0) / dearest, 1.0)) if dearest > 0 else 0.0
    height = 14 + share * (_ORDERS - _TOP - 24)
    return Dot(x, round(_ORDERS - height, 1), round(3.5 + 3.5 * share, 1), moment)


def _months(start: datetime, until: datetime, timezone: str) -> list[datetime]:
    """Return the shop-local beginnings of months between two instants."""
    zone = ZoneInfo(timezone)
    local = start.astimezone(zone)
    found: list[datetime] = []
    year, month = local.year, local.month
    while True:
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        begin = datetime(year, month, 1, tzinfo=zone)
        if begin >= until:
            return found
        found.append(begin)
