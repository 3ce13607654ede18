"""What a shop's size can carry today, step by step, and when the next step will do.

A step counts customers whose outcome is known: those who had ordered, or ordered twice, one horizon
before the data end. Orders of the last horizon are in the data already, so for that long the count
is known ahead; after it, the pace of the last 90 days is assumed to go on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US, from_us, iso
from churnguard.events.timeline import Timeline
from churnguard.features.btyd import MIN_REPEAT_BUYERS
from churnguard.training.recipe import Recipe

Ints = NDArray[np.int64]

PACE_DAYS = 90
SEASON_DAYS = 365
RICH_REPEAT_BUYERS = 150
"""Repeat buyers from which signals may be hoped to add to the lifetime model: a rule of thumb; what
they add is decided by the evidence."""

_ORDER = "order_completed"
_FARTHEST_DAYS = 3_650


@dataclass(frozen=True)
class Stage:
    """One thing that the data can carry, or will.

    Attributes
    ----------
    name : str
        What it is.
    counted : str
        What is counted.
    there, wanted : int
        How many there are and how many it takes.
    enough_from : datetime or None
        When there will be enough; None where there are, or where the pace leads nowhere.
    known : bool
        ``enough_from`` follows from orders that are in the data already.
    """

    name: str
    counted: str
    there: int
    wanted: int
    enough_from: datetime | None = None
    known: bool = False

    @property
    def reached(self) -> bool:
        """There are enough."""
        return self.there >= self.wanted

    def to_dict(self) -> dict[str, object]:
        """Return JSON-ready values."""
        when = iso(self.enough_from) if self.enough_from else None
        return {**self.__dict__, "enough_from": when, "reached": self.reached}

    def to_text(self) -> str:
        """Return a sentence for a person.

        Examples
        --------
        >>> print(Stage("trees", "buyers", 83, 150, datetime(2027, 3, 14)).to_text())
        not yet  trees: 83 of 150 buyers; at the pace of the last 90 days around 14 March 2027
        """
        if self.reached:
            return f"yes      {self.name}: {self.there:,} {self.counted} ({self.wanted:,} needed)"
        begin = f"not yet  {self.name}: {self.there:,} of {self.wanted:,} {self.counted}; "
        if self.enough_from is None:
            return f"{begin}at the pace of the last {PACE_DAYS} days not within ten years"
        day = f"{self.enough_from.day} {self.enough_from:%B %Y}"
        if self.known:
            return f"{begin}those on the way make it enough from {day}"
        return f"{begin}at the pace of the last {PACE_DAYS} days around {day}"


def stages(
    timelines: Sequence[Timeline], recipe: Recipe, *, data_from: int, data_end: int, horizon: int
) -> tuple[Stage, ...]:
    """Return every step, the least demanding first.

    Parameters
    ----------
    timelines : sequence of Timeline
        All customers.
    recipe : Recipe
        ``needs`` says what any model takes.
    data_from, data_end : int
        The oldest event, and the end of the newest one's day; microseconds UTC.
    horizon : int
        Days until an outcome is known.
    """
    first, second = (_nth_orders(timelines, nth) for nth in (0, 1))
    ends = {"data_end": data_end, "horizon": horizon}
    days = (data_end - data_from) // DAY_US
    year = SEASON_DAYS + horizon
    return (
        _counted("own-rhythm rule", "customers", first, recipe.needs.customers, **ends),
        _counted("lifetime model", "repeat buyers", second, MIN_REPEAT_BUYERS, **ends),
        _counted(
            "signals and trees beside it", "repeat buyers", second, RICH_REPEAT_BUYERS, **ends
        ),
        Stage(
            "season of a whole year",
            "days of history",
            int(days),
            year,
            None if days >= year else from_us(data_from + year * DAY_US),
            known=True,
        ),
    )


def _nth_orders(timelines: Sequence[Timeline], nth: int) -> Ints:
    """Return when customers placed an order for the first time (0) or again (1), sorted."""
    found = []
    for timeline in timelines:
        track = timeline.track(_ORDER)
        begin, end = track.offsets[:-1] + nth, track.offsets[1:]
        found.append(track.occurred[begin[begin < end]])
    return np.sort(np.concatenate(found)) if found else np.empty(0, np.int64)


def _counted(
    name: str, counted: str, instants: Ints, wanted: int, *, data_end: int, horizon: int
) -> Stage:
    """Return a step that counts customers who had got so far one horizon before the end."""
    wait = horizon * DAY_US
    there = int(np.searchsorted(instants, data_end - wait))
    told = f"{counted} with a known outcome"
    if there >= wanted:
        return Stage(name, told, there, wanted)
    if len(instants) >= wanted:
        return Stage(name, told, there, wanted, from_us(int(instants[wanted - 1]) + wait), True)
    span = min(PACE_DAYS * DAY_US, max(data_end - int(instants[0]), DAY_US)) if len(instants) else 0
    fresh = len(instants) - int(np.searchsorted(instants, data_end - span))
    if not fresh:
        return Stage(name, told, there, wanted)
    days = math.ceil((wanted - len(instants)) * span / fresh / DAY_US)
    if days > _FARTHEST_DAYS:
        return Stage(name, told, there, wanted)
    return Stage(name, told, there, wanted, from_us(data_end + days * DAY_US + wait))
