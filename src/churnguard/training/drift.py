"""Have signals or scores drifted? By effect sizes, with limits that know the number of customers.

A p-value cries wolf in a large shop and is blind in a small one. Here two effect sizes have to pass
a floor that says what is worth a person's time, plus what chance alone does in as many customers.
A signal has drifted only if it differs from the same season last year *and* from what the model
learned from: a season is new only to the second, a growing history only to the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

MOST_BINS = 10
ROWS_A_BIN = 30
FEWEST_KNOWN = 30
"""Fewer known values on either side: a distribution is not compared, only what is missing."""


@dataclass(frozen=True)
class Limits:
    """What counts as drift.

    Attributes
    ----------
    psi, ks, missing : float
        Floors: the smallest effect that is worth a person's time. 0.1 is where the index's users
        begin to look closer (Siddiqi, "Credit Risk Scorecards", 2006).
    events : float
        The smallest share of a kind's events that is worth a person's time where it is missing.
    false_alarms : float
        Chance of all comparisons of one look together to pass what is added for chance.
    """

    psi: float = 0.1
    ks: float = 0.1
    missing: float = 0.05
    events: float = 1 / 3
    false_alarms: float = 0.01


@dataclass(frozen=True)
class Known:
    """One column's known values.

    Attributes
    ----------
    values : ndarray of float64
        Rising.
    share : float
        Of all values; the others are missing.
    """

    values: Floats
    share: float

    @classmethod
    def of(cls, column: Floats) -> Known:
        """Sort a column."""
        values = np.sort(column[~np.isnan(column)])
        return cls(values, len(values) / max(len(column), 1))


@dataclass(frozen=True)
class Rows:
    """Signals of customers at one or more cutoffs.

    Attributes
    ----------
    X : ndarray of float64, shape (n, p)
        NaN where missing.
    customers : int
        Different customers: the rows of one customer are not independent.
    """

    X: Floats
    customers: int

    @cached_property
    def columns(self) -> tuple[Known, ...]:
        """The columns, sorted once however often they are compared."""
        return tuple(Known.of(column) for column in self.X.T)


@dataclass(frozen=True)
class Shift:
    """How one column differs between two sets of customers.

    Attributes
    ----------
    psi, ks : float
        Population stability index and Kolmogorov-Smirnov distance of the known values; 0 where too
        few are known.
    psi_limit, ks_limit : float
        What both have to pass.
    missing_before, missing_now, missing_limit : float
        Shares of missing values, and how much the share may rise.
    """

    psi: float
    ks: float
    psi_limit: float
    ks_limit: float
    missing_before: float
    missing_now: float
    missing_limit: float

    @property
    def moved(self) -> bool:
        """Whether the values moved; both effect sizes agree on it."""
        return self.psi > self.psi_limit and self.ks > self.ks_limit

    @property
    def missing(self) -> bool:
        """Whether values are missing more often."""
        return self.missing_now - self.missing_before > self.missing_limit

    @property
    def drifted(self) -> bool:
        """Whether anything is the matter."""
        return self.moved or self.missing

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {**asdict(self), "drifted": self.drifted}


def population_stability(reference: Floats, current: Floats, *, bins: int) -> tuple[float, int]:
    """Return the population stability index over equal-count bins of the reference.

    ``sum((q - p) ln(q / p))`` over the bins' shares; half a customer is added to each bin, so that
    an empty one does not make it endless.

    Parameters
    ----------
    reference, current : ndarray of float64
        Known values.
    bins : int
        Bins wanted; values that repeat make fewer.

    Returns
    -------
    tuple of float and int
        The index, and how many bins there were.

    Examples
    --------
    >>> population_stability(np.arange(100.0), np.arange(100.0), bins=10)
    (0.0, 10)
    >>> population_stability(np.arange(100.0), np.arange(100.0) + 50, bins=10)[0] > 1
    True
    """
    return _stability(np.sort(reference), np.sort(current), bins=bins)


def _stability(reference: Floats, current: Floats, *, bins: int) -> tuple[float, int]:
    """Return the population stability index of rising values, and the number of bins."""
    parts = np.arange(1, bins) / bins
    cuts = reference[np.maximum(np.ceil(len(reference) * parts - 1).astype(np.int64), 0)]
    cuts = np.unique(cuts[cuts < reference[-1]])
    # A column of one value (nobody has it): what leaves that value needs a bin on either side.
    edges = cuts if len(cuts) else np.array([np.nextafter(reference[0], -np.inf), reference[0]])
    shares = []
    for values in (reference, current):
        below = np.searchsorted(values, edges, side="right")
        counts = np.diff(below, prepend=0, append=len(values))
        shares.append((counts + 0.5) / (len(values) + 0.5 * (len(edges) + 1)))
    p, q = shares
    return float(((q - p) * np.log(q / p)).sum()), len(edges) + 1


def kolmogorov_smirnov(reference: Floats, current: Floats) -> float:
    """Return the largest distance of the two distribution functions.

    Examples
    --------
    >>> kolmogorov_smirnov(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    1.0
    """
    return _distance(np.sort(reference), np.sort(current))


def _distance(reference: Floats, current: Floats) -> float:
    """Return the largest distance of the distribution functions of rising values."""
    together = np.concatenate([reference, current])
    order = np.argsort(together, kind="stable")  # two rising runs: merged
    at = together[order]
    ends = np.flatnonzero(np.append(at[1:] != at[:-1], True))
    before = np.cumsum(order < len(reference))[ends]
    now = ends + 1 - before
    return float(np.abs(before / len(reference) - now / len(current)).max())


def shift(
    reference: Floats,
    current: Floats,
    *,
    customers: tuple[int, int],
    comparisons: int = 1,
    limits: Limits | None = None,
) -> Shift:
    """Compare one column of two sets of rows.

    Without drift the index is about ``(1/n + 1/m)`` times a chi-square of one degree less than
    bins (Yurdakul, Naranjo: "Statistical properties of the population stability index", Journal of
    Risk Model Validation 14(4), 2020), and the distance passes ``sqrt(-ln(a/2)/2 (1/n + 1/m))``
    with a chance of ``a`` (Smirnov's limit law). That, at a chance shared by all comparisons, is
    added to the floors.

    Parameters
    ----------
    reference, current : ndarray of float64
        Values; NaN where missing.
    customers : tuple of two int
        Different customers behind each.
    comparisons : int
        How many columns are looked at, at the same time.
    limits : Limits, optional
        Floors and chance.
    """
    return _shift(
        (Known.of(reference), Known.of(current)),
        customers=customers,
        comparisons=comparisons,
        limits=limits or Limits(),
    )


def _shift(
    sides: tuple[Known, Known], *, customers: tuple[int, int], comparisons: int, limits: Limits
) -> Shift:
    """Compare one column of two sets of rows, sorted."""
    chance = limits.false_alarms / comparisons
    known, shares = [side.values for side in sides], [side.share for side in sides]
    sizes = [max(n * share, 1.0) for n, share in zip(customers, shares, strict=True)]
    psi = ks = 0.0
    psi_limit, ks_limit = limits.psi, limits.ks
    if min(map(len, known)) >= FEWEST_KNOWN:
        spread = 1 / sizes[0] + 1 / sizes[1]
        wanted = int(min(MOST_BINS, max(2, min(sizes) // ROWS_A_BIN)))
        psi, bins = _stability(known[0], known[1], bins=wanted)
        ks = _distance(known[0], known[1])
        psi_limit += spread * float(special.chdtri(bins - 1, chance))
        ks_limit += sqrt(-log(chance / 2) / 2 * spread)
    pooled = sum(shares) / 2
    noise = 1 / max(customers[0], 1) + 1 / max(customers[1], 1)
    sway = -float(special.ndtri(chance)) * sqrt(pooled * (1 - pooled) * noise)
    return Shift(
        psi=psi,
        ks=ks,
        psi_limit=psi_limit,
        ks_limit=ks_limit,
        missing_before=1 - shares[0],
        missing_now=1 - shares[1],
        missing_limit=limits.missing + sway,
    )


@dataclass(frozen=True)
class Drift:
    """One column against each reference.

    Attributes
    ----------
    name : str
        The column.
    against : mapping of str to Shift
        By reference: ``season`` (last year's same weeks, where there is a year) and ``learned``.
    """

    name: str
    against: Mapping[str, Shift]

    @property
    def drifted(self) -> bool:
        """Whether it drifted from every reference, in the same way."""
        shifts = self.against.values()
        return all(one.moved for one in shifts) or all(one.missing for one in shifts)

    @property
    def ratio(self) -> float:
        """How far it went on the way to its limits: above 1 it drifted."""
        shifts = self.against.values()
        moved = min(min(one.psi / one.psi_limit, one.ks / one.ks_limit) for one in shifts)
        rises = [(one.missing_now - one.missing_before) / one.missing_limit for one in shifts]
        return max(moved, min(rises), 0.0)

    @property
    def missing(self) -> bool:
        """Whether it is missing more often than in every reference."""
        return all(one.missing for one in self.against.values())

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        against = {name: one.to_dict() for name, one in self.against.items()}
        return {"name": self.name, "drifted": self.drifted, "against": against}


def compare_rows(
    references: Mapping[str, Rows],
    current: Rows,
    names: Sequence[str],
    *,
    limits: Limits | None = None,
) -> tuple[Drift, ...]:
    """Compare every column with every reference.

    Parameters
    ----------
    references : mapping of str to Rows
        At least one.
    current : Rows
        Today's.
    names : sequence of str
        The columns.
    limits : Limits, optional
        Floors and chance.

    Examples
    --------
    >>> def rows(unit):
    ...     return Rows(unit * np.arange(500.0)[:, None], customers=500)
    >>> [found] = compare_rows({"learned": rows(1)}, rows(100), ["spend_90d"])
    >>> found.drifted
    True
    """
    return tuple(
        Drift(
            name,
            {
                word: _shift(
                    (rows.columns[place], current.columns[place]),
                    customers=(rows.customers, current.customers),
                    comparisons=len(names),
                    limits=limits or Limits(),
                )
                for word, rows in references.items()
            },
        )
        for place, name in enumerate(names)
    )
