"""Whether the events of a kind still come in their usual number.

Signals hardly tell: half of the sign-ins lost, evenly and from everybody, move each customer by
little. So the number of events a customer is compared as well. Its limit is a floor that says what
is worth a person's time, or, where that is wider, what chance does among as many customers, or how
the kind has always wandered. As for signals, it has to differ from every reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from churnguard.training.drift import Limits

Floats = NDArray[np.float64]

FEWEST_EVENTS = 30
"""Fewer events at a cutoff of the reference: the kind is not compared."""

FEWEST_STEPS = 6
"""Fewer steps from window to window in the history: nobody knows yet how the kind wanders."""

_WITHIN = 0.9


@dataclass(frozen=True)
class Came:
    """How many events of a kind customers had in the windows before one or more cutoffs.

    Attributes
    ----------
    events : ndarray of float64, shape (n,)
        Of each customer, over the cutoffs at which it was eligible.
    rows : ndarray of float64, shape (n,)
        At how many cutoffs it was eligible.
    cutoffs : int
        How many there are.
    """

    events: Floats
    rows: Floats
    cutoffs: int

    @cached_property
    def mean(self) -> float:
        """Events a customer and window."""
        return float(self.events.sum() / max(self.rows.sum(), 1))

    @property
    def parts(self) -> Floats:
        """What each customer adds to the mean's error: all its events together, as they come."""
        apart: Floats = (self.events - self.mean * self.rows) / max(self.rows.sum(), 1)
        return apart


@dataclass(frozen=True)
class Change:
    """How the number of events differs from one reference.

    Attributes
    ----------
    before, now : float
        Events a customer and window.
    limit : float
        What the share that is missing, or too much, has to pass; 1 where that cannot be told.
    """

    before: float
    now: float
    limit: float

    @property
    def share(self) -> float:
        """What is missing of what used to come (below 0), or too much of what comes now."""
        return float(_shares(np.array([self.before, self.now]))[0])

    @property
    def drifted(self) -> bool:
        """Whether the limit is passed, either way."""
        return abs(self.share) > self.limit

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {**asdict(self), "share": self.share, "drifted": self.drifted}


@dataclass(frozen=True)
class Delivery:
    """One kind of event against each reference.

    Attributes
    ----------
    name : str
        The kind of event.
    against : mapping of str to Change
        By reference.
    """

    name: str
    against: Mapping[str, Change]

    @property
    def nearest(self) -> Change:
        """The change from the reference that differs least."""
        return min(self.against.values(), key=lambda one: abs(one.share))

    @property
    def drifted(self) -> bool:
        """Whether fewer came than in every reference, or more than in every one."""
        return self.ratio > 1

    @property
    def ratio(self) -> float:
        """How far it went on the way to its limits: above 1 it drifted."""
        changes = self.against.values()
        if len({np.sign(one.share) for one in changes}) > 1:
            return 0.0
        return min(abs(one.share) / one.limit for one in changes)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        against = {name: one.to_dict() for name, one in self.against.items()}
        return {"name": self.name, "drifted": self.drifted, "against": against}


def compare_delivery(
    name: str,
    references: Mapping[str, Came],
    current: Came,
    *,
    earlier: Floats,
    comparisons: int = 1,
    limits: Limits | None = None,
) -> Delivery:
    """Compare the number of events of a kind with every reference.

    Chance is told from customer to customer: the standard error of the difference of two means is
    that of what each customer adds to it, on both sides together (Taylor linearisation of a ratio,
    customers as clusters; Cochran, "Sampling Techniques", 1977, 6.4 and 9). So many events of one
    customer are one customer, and a customer on both sides is no two.

    Parameters
    ----------
    name : str
        The kind.
    references : mapping of str to Came
        At least one; the same customers in the same order as ``current``.
    current : Came
        Today's.
    earlier : ndarray of float64
        Events a customer in the windows of the history, one after the other: how the kind wanders.
    comparisons : int
        How many kinds are looked at, at the same time.
    limits : Limits, optional
        Floor and chance.

    Examples
    --------
    >>> def came(events):
    ...     return Came(np.full(500, events), np.ones(500), cutoffs=1)
    >>> compare_delivery(
    ...     "signed_in", {"learned": came(4.0)}, came(2.0), earlier=np.full(10, 4.0)
    ... ).drifted
    True
    """
    limits = limits or Limits()
    sure = -float(special.ndtri(limits.false_alarms / comparisons))
    wandering = wander(earlier)

    def change(reference: Came) -> Change:
        most = max(reference.mean, current.mean)
        if reference.events.sum() < FEWEST_EVENTS * reference.cutoffs:
            return Change(reference.mean, current.mean, 1.0)
        chance = float(np.linalg.norm(current.parts - reference.parts)) / most
        limit = max(limits.events, sure * max(chance, wandering))
        return Change(reference.mean, current.mean, min(limit, 1.0))

    return Delivery(name, {word: change(reference) for word, reference in references.items()})


def wander(means: Floats) -> float:
    """Return the standard deviation of a quiet step from one window to the next, as a share.

    From what nine steps in ten stay within, so that a failure in the history does not widen it.

    Examples
    --------
    >>> round(wander(np.array([4.0, 5.0] * 5)), 2)
    0.12
    >>> wander(np.array([4.0, 5.0]))
    inf
    """
    steps = np.abs(_shares(means))
    if len(steps) < FEWEST_STEPS:
        return inf
    return float(np.quantile(steps, _WITHIN) / special.ndtri((1 + _WITHIN) / 2))


def _shares(means: Floats) -> Floats:
    """Return the step from each number to the next, as a share of the larger."""
    larger = np.maximum(means[:-1], means[1:])
    shares: Floats = np.diff(means) / np.where(larger > 0, larger, 1.0)
    return shares
