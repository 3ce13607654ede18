"""The shop's days: when they begin, how busy they are, which campaigns run, what befalls everybody.

Day 0 is the first shop-local day of the log; the tables reach a horizon past its end, because the
true risk looks ahead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from churnguard.clock import local_day, midnight, to_us
from churnguard.events.simulation.draws import Floats, Ints, normals, stream
from churnguard.events.simulation.plan import SimulationPlan

WEEKDAY_DEMAND = (1.08, 1.12, 1.10, 1.16, 0.95, 0.65, 0.94)
"""Orders by weekday from Monday, mean 1: Online Retail II, with more on Saturdays."""

MONTH_DEMAND = (0.76, 0.79, 0.91, 0.87, 0.94, 0.95, 0.91, 0.92, 1.17, 1.34, 1.56, 0.88)
"""Orders by month, mean 1: Online Retail II, both years, per day and per customer alive."""

NEIGHBOURHOODS = 20
"""Groups of customers that a misspecified shop's shocks befall together."""

CAMPAIGN_EVERY_DAYS = 45
OFFER_LASTS_DAYS = 14
OFFER_SHARE = 0.5
"""A campaign begins every so often; its offer lasts; so large is the share that is not held out."""


@dataclass(frozen=True)
class ShopCalendar:
    """Facts by day.

    Attributes
    ----------
    starts : int64 array (days + horizon + 1,)
        The instant at which each day begins, microseconds UTC.
    demand : float64 array (neighbourhoods, days + horizon)
        How busy a day is; 1 is usual.
    leaving : float64 array (neighbourhoods, days + horizon)
        What the hazard of leaving is multiplied by.
    campaign : int64 array (days + horizon,)
        The first day of the campaign whose offers are open, or -1.
    weekday : int64 array (days + horizon,)
        0 is Monday.
    tracking_changes_on : int
        The day from which fewer visits are tracked; past the end where that never happens.
    hidden_moods : bool
        Whether customers have keen and idle spells.
    """

    starts: Ints
    demand: Floats
    leaving: Floats
    campaign: Ints
    weekday: Ints
    tracking_changes_on: int
    hidden_moods: bool


def shop_calendar(plan: SimulationPlan) -> ShopCalendar:
    """Return the days of a plan, with everything that befalls the shop as a whole."""
    last = local_day(plan.end - timedelta(microseconds=1), plan.timezone)
    first = last - timedelta(days=plan.days - 1)
    length = plan.days + plan.horizon_days
    days = [first + timedelta(days=number) for number in range(length + 1)]
    weekday = np.array([day.weekday() for day in days[:-1]], dtype=np.int64)
    yearly = np.array([_yearly(day) for day in days[:-1]])
    season = 1.0 + plan.season_strength * (yearly * np.array(WEEKDAY_DEMAND)[weekday] - 1.0)
    shocks, leaving, tracking = _befalling(plan, length)
    return ShopCalendar(
        starts=np.array([to_us(midnight(day, plan.timezone)) for day in days], dtype=np.int64),
        demand=np.maximum(season, 0.02) * shocks,
        leaving=leaving,
        campaign=_campaigns(plan, length),
        weekday=weekday,
        tracking_changes_on=tracking,
        hidden_moods=plan.misspecified,
    )


def campaign_name(day: int) -> str:
    """Return the name of the campaign that begins on a day.

    Examples
    --------
    >>> campaign_name(75)
    'offer-0075'
    """
    return f"offer-{day:04d}"


def _yearly(day: date) -> float:
    """Interpolate the months' demand linearly between the middles of the months."""
    position = day.month - 1 + (day.day - 15.5) / 31.0
    before = int(np.floor(position))
    share = position - before
    return (1 - share) * MONTH_DEMAND[before % 12] + share * MONTH_DEMAND[(before + 1) % 12]


def _campaigns(plan: SimulationPlan, length: int) -> Ints:
    """Campaigns begin after a month and run on past the end, as the true risk looks ahead."""
    campaign = np.full(length, -1, dtype=np.int64)
    if not plan.offers:
        return campaign
    for start in range(30, length, CAMPAIGN_EVERY_DAYS):
        campaign[start : start + OFFER_LASTS_DAYS] = start
    return campaign


def _befalling(plan: SimulationPlan, length: int) -> tuple[Floats, Floats, int]:
    """Return factors of demand and of leaving, and the day on which tracking changes."""
    if not plan.misspecified:
        calm = np.ones((1, length))
        return calm, plan.leaving * calm, length
    rng = stream(plan.seed, "befalling")
    demand = _shared_shocks(rng, length)
    leaving = np.ones((NEIGHBOURHOODS, length))
    opens = int(plan.days * (0.55 + 0.2 * rng.random()))
    touched = rng.random(NEIGHBOURHOODS) < 0.5
    demand[touched, opens:] *= 0.75
    leaving[touched, opens : opens + 60] = 3.0
    return demand, plan.leaving * leaving, int(plan.days * (0.7 + 0.15 * rng.random()))


def _shared_shocks(rng: np.random.Generator, length: int) -> Floats:
    """Weekly shocks with Student's t tails (3 degrees of freedom), one path a neighbourhood."""
    weeks = length // 7 + 1
    spread = np.sqrt(3.0 / ((normals(rng, (NEIGHBOURHOODS, weeks, 3)) ** 2).sum(axis=2) + 1e-3))
    path = np.clip(1.0 + 0.25 * normals(rng, (NEIGHBOURHOODS, weeks)) * spread, 0.1, 3.0)
    return np.repeat(np.round(path, 6), 7, axis=1)[:, :length]
