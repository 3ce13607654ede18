"""What is asked of the simulated shop, and the words in which its truth is told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pyarrow as pa

from churnguard.errors import InvalidRequest

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how many are done, and of how many."""

CAUSES = ("silence", "need", "carts", "searches", "delivery", "service")
"""Why a customer leaves: the habit fades, the need falls, carts are abandoned again and again,
searches come back empty, a delivery is late, or service is bad."""

RESPONSE_TYPES = ("persuadable", "sure_thing", "lost_cause", "sleeping_dog")
"""How a customer answers an offer: buys because of it, would have bought anyway, does not buy
anyway, or is driven away by it."""

KINDS = ("regular", "one_time", "wholesale")
"""What a customer is to the shop; a one-time buyer needs what the shop sells only once."""


@dataclass(frozen=True)
class SimulationPlan:
    """A shop to simulate; the same plan gives the same bytes.

    Parameters
    ----------
    customers : int
        Customers in the book, those who never order included.
    days : int
        Shop-local days that the log covers, the day of ``end`` included.
    seed : int
        Not negative.
    end : datetime
        Aware. Nothing that is received at or after it is in the log.
    timezone, currency : str
        The shop's IANA zone and ISO 4217 currency.
    pace : float
        How fast customers come back, relative to Online Retail II.
    leaving : float
        How readily customers leave for good, relative to the fitted shop. A pace of 1.6 with a
        leaving of 0.5 makes a shop in which about half of those eligible churn in 90 days.
    season_strength : float
        0 is a shop without a season, 1 the season of Online Retail II.
    misspecified : bool
        Add what no signal names: hidden moods of customers, shocks shared by neighbours, a
        competitor who opens on one day, and tracking that is changed on another.
    offers : bool
        Run coupon campaigns to a random half of the customers who may be mailed.
    truth_every_days : int
        Distance of the points in time at which the truth is told.
    horizon_days : int
        The true risk is the probability of no order in so many days.

    Raises
    ------
    InvalidRequest
        If a value cannot be used.

    Examples
    --------
    >>> SimulationPlan(customers=200, days=400).seed
    7
    """

    customers: int = 5_000
    days: int = 730
    seed: int = 7
    end: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    timezone: str = "UTC"
    currency: str = "USD"
    pace: float = 1.0
    leaving: float = 1.0
    season_strength: float = 1.0
    misspecified: bool = False
    offers: bool = True
    truth_every_days: int = 28
    horizon_days: int = 90

    def __post_init__(self) -> None:
        _must(self.customers >= 1, "A shop needs at least one customer.")
        _must(self.days >= 1, "A log covers at least one day.")
        _must(self.seed >= 0, "A seed is 0 or more.")
        _must(self.end.tzinfo is not None, "The end needs a time zone.")
        _must(self.timezone in available_timezones(), f"No such time zone: {self.timezone}.")
        _must(0 <= self.season_strength <= 1.5, "The season's strength is between 0 and 1.5.")
        _must(0.1 <= self.pace <= 10, "The pace is between 0.1 and 10.")
        _must(0 <= self.leaving <= 10, "The leaving is between 0 and 10.")
        _must(self.truth_every_days >= 1, "The truth is told at most daily.")
        _must(self.horizon_days >= 1, "The horizon is at least one day.")

    @property
    def zone(self) -> ZoneInfo:
        """The shop's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def stamp(self) -> str:
        """Eight characters that differ between plans; event ids begin with them.

        Examples
        --------
        >>> SimulationPlan(seed=1).stamp == SimulationPlan(seed=2).stamp
        False
        """
        return hashlib.blake2b(repr(self).encode(), digest_size=4).hexdigest()


@dataclass(frozen=True)
class SimulatedShop:
    """What the shop knows (events, customers, offers) and what it cannot know (truth).

    Attributes
    ----------
    events : pa.Table
        ``EVENT_SCHEMA``, sorted by customer_id, occurred_at, event_id.
    customers : pa.Table
        The customer book: created_at, locale, consent, objections.
    offers : pa.Table
        The campaign log: who was drawn into which campaign, and whether offered or held out.
    truth : pa.Table
        A row per customer and point in time; its columns are in ``docs/simulator.md``.
    """

    events: pa.Table
    customers: pa.Table
    offers: pa.Table
    truth: pa.Table


def _must(condition: bool, message: str) -> None:  # noqa: FBT001
    if not condition:
        raise InvalidRequest(message, hint="See SimulationPlan for what each value means.")
