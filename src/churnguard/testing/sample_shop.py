"""A small shop in memory that looks like a real one: for page tests, screenshots and examples.

Nothing here is learned: risks follow a plain rule over each customer's own rhythm, so that every
number on a page can be checked by hand.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from churnguard.jobs.ports import Shop
from churnguard.project.template import template_root
from churnguard.scoring.score import Band, Reason, Score, SuggestedAction
from churnguard.testing.builders import MODEL, NOON, build_events, build_score
from churnguard.testing.shop import fake_shop

_DAYS = 500
_BASE_MARGIN = -0.4


@dataclass(frozen=True)
class _Habit:
    """How one made-up customer shops, and since when no longer."""

    customer_id: str
    gap: float
    basket: float
    orders: tuple[datetime, ...]
    visits: tuple[datetime, ...]
    carts_left: int
    ticket_days: int | None

    @property
    def silent_days(self) -> float:
        return (NOON - self.orders[-1]) / timedelta(days=1)


def sample_shop(customers: int = 120, *, seed: int = 7, **changes: Any) -> Shop:
    """Return a shop with events, a batch of scores and a champion in its ledger.

    Parameters
    ----------
    customers : int
        How many.
    seed : int
        The same seed gives the same shop.
    **changes
        Fields of :class:`~churnguard.jobs.ports.Shop` that differ.

    Examples
    --------
    >>> shop = sample_shop(20)
    >>> shop.scores.latest_run().customers, shop.ledger.champion().version
    (20, '12')
    """
    habits = [_habit(number, random.Random(f"{seed}-{number}")) for number in range(customers)]  # noqa: S311
    rows = [row for habit in habits for row in _events(habit)]
    scores = [_score(habit) for habit in habits]
    shop = fake_shop(scores, events=build_events(rows), **({"root": template_root()} | changes))
    shop.ledger.append(
        at=NOON - timedelta(days=12),
        version=MODEL.version,
        bundle=MODEL.bundle,
        approved_by="dana",
        reason="passed the gate",
        trained_until=NOON - timedelta(days=12),
        labels_through=NOON - timedelta(days=102),
    )
    return shop


def _habit(number: int, draw: random.Random) -> _Habit:
    gap = draw.uniform(9, 55)
    silent = min(draw.expovariate(1 / gap) + (draw.random() < 0.4) * gap * draw.uniform(1, 3), 340)
    orders: list[datetime] = []
    at = NOON - timedelta(days=silent, minutes=draw.randrange(600))
    one_time = draw.random() < 0.1
    while at > NOON - timedelta(days=_DAYS) and not (one_time and orders):
        orders.append(at)
        at -= timedelta(days=max(2.0, draw.gauss(gap, gap * 0.35)), minutes=draw.randrange(600))
    quiet = silent * draw.uniform(0.3, 0.95)
    visits = sorted(
        NOON - timedelta(days=quiet + draw.uniform(0, 360 - quiet))
        for _ in range(draw.randrange(12, 70))
    )
    return _Habit(
        customer_id=f"C{10_000 + number * 37 % 9_000}",
        gap=gap,
        basket=math.exp(draw.gauss(5.2, 0.55)),
        orders=tuple(sorted(orders)),
        visits=tuple(visits),
        carts_left=max(0, draw.randrange(-4, 4)),
        ticket_days=draw.randrange(2, 30) if draw.random() < 0.12 else None,
    )


def _events(habit: _Habit) -> list[dict[str, Any]]:
    who = habit.customer_id
    draw = random.Random(who)  # noqa: S311
    rows: list[dict[str, Any]] = [
        {"event": "order_completed", "occurred_at": at, "value": _amount(habit, draw)}
        for at in habit.orders
    ]
    rows += [{"event": "signed_in", "occurred_at": at, "value": None} for at in habit.visits]
    if habit.ticket_days is not None:
        opened = NOON - timedelta(days=habit.ticket_days)
        rows.append({"event": "support_ticket_opened", "occurred_at": opened, "value": None})
    return [
        row | {"customer_id": who, "event_id": f"{who}-{place}"} for place, row in enumerate(rows)
    ]


def _amount(habit: _Habit, draw: random.Random) -> float:
    return round(habit.basket * math.exp(draw.gauss(0, 0.4)), 2)


def _score(habit: _Habit) -> Score:
    if len(habit.orders) == 1 and habit.silent_days < 3:
        return build_score(
            habit.customer_id, status="abstained", status_reason="too_little_history"
        )
    reasons = tuple(sorted(_reasons(habit), key=lambda reason: -abs(reason.effect)))
    margin = _BASE_MARGIN + math.fsum(reason.effect for reason in reasons)
    risk = 1 / (1 + math.exp(-margin))
    value = round(habit.basket * len(habit.orders) / _DAYS * 90 * 0.3, 2)
    band: Band = "high" if risk > 0.66 else "medium" if risk > 0.33 else "low"
    return build_score(
        habit.customer_id,
        churn_risk=risk,
        interval=(max(0.0, risk - 0.08), min(1.0, risk + 0.07)),
        band=band,
        segment=_segment(habit),
        margin=margin,
        base_margin=_BASE_MARGIN,
        reasons=reasons,
        expected_value=value,
        action=_action(habit, risk, value),
    )


def _segment(habit: _Habit) -> str:
    if len(habit.orders) == 1:
        return "one_time"
    if habit.silent_days > 2 * habit.gap:
        return "at_risk"
    return "high_value" if habit.basket > 300 else "loyal"


def _reasons(habit: _Habit) -> list[Reason]:
    ratio = habit.silent_days / habit.gap
    seen = (NOON - habit.visits[-1]) / timedelta(days=1)
    orders = sum(at > NOON - timedelta(days=365) for at in habit.orders)
    silent, gap, away = round(habit.silent_days), round(habit.gap), round(seen)
    found = [
        _reason(
            "order_gap_ratio",
            0.9 * math.log(max(ratio, 0.15)),
            (ratio, 1.0),
            f"Last order {silent} days ago; usually every {gap}",
            f"ההזמנה האחרונה לפני {silent} ימים; בדרך כלל כל {gap} ימים",
        ),
        _reason(
            "orders_365d",
            -0.5 * math.log(max(orders, 1) / 6),
            (float(orders), None),
            f"{orders} orders in the past year",
            f"{orders} הזמנות בשנה האחרונה",
        ),
        _reason(
            "days_since_login",
            0.3 * math.log(max(seen, 1) / 12),
            (seen, None),
            f"Last visit {away} days ago",
            f"הביקור האחרון לפני {away} ימים",
        ),
    ]
    if habit.carts_left:
        found.append(
            _reason(
                "cart_streak",
                0.25 * habit.carts_left,
                (float(habit.carts_left), 0.0),
                f"{habit.carts_left} carts left since the last order",
                f"{habit.carts_left} עגלות ננטשו מאז ההזמנה האחרונה",
            )
        )
    if habit.ticket_days is not None:
        found.append(
            _reason(
                "tickets_open",
                0.6,
                (1.0, 0.0),
                f"A complaint has been open for {habit.ticket_days} days",
                f"פנייה לשירות פתוחה כבר {habit.ticket_days} ימים",
            )
        )
    return found


def _reason(
    code: str, effect: float, numbers: tuple[float, float | None], english: str, hebrew: str
) -> Reason:
    return Reason(
        code=code,
        family=code.partition("_")[0],
        effect=effect,
        effect_points=effect * 0.2,
        value=numbers[0],
        usual=numbers[1],
        text={"en": english, "he": hebrew},
    )


def _action(habit: _Habit, risk: float, value: float) -> SuggestedAction:
    code, channel, prevents, cost = "leave_alone", "none", 0.0, 0.0
    if habit.ticket_days is not None:
        code, channel, prevents, cost = "service_call", "phone", 0.08, 4.0
    elif habit.carts_left:
        code, channel, prevents, cost = "cart_reminder", "email", 0.02, 0.05
    elif habit.silent_days > 2 * habit.gap:
        code, channel, prevents, cost = "win_back_coupon", "email", 0.03, 0.05
    elif habit.silent_days > habit.gap:
        code, channel, prevents, cost = "favourite_item_offer", "email", 0.018, 0.05
    gain = round(risk * prevents * value - cost, 2)
    if gain <= 0:
        code, channel, gain, cost = "leave_alone", "none", 0.0, 0.0
    held_out = int(habit.customer_id[1:]) % 10 == 3
    return SuggestedAction(
        code=code,
        channel=channel,
        expected_gain=gain,
        cost=cost,
        basis="prior",
        group="control" if held_out else "treat",
        propensity=0.1 if held_out else 0.9,
        decision_id=f"d-{habit.customer_id}",
    )
