"""Whether reasons are true of the model: make the customer usual in one respect and score again.

A reason that says "this raises the risk" is right if the risk falls once its signals are what is
usual. Nothing is learned or changed here; it is a measurement that anybody can repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from churnguard.scoring.context import RiskModel
from churnguard.scoring.reasons import ReasonWriter, from_usual

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Usual = Literal["own", "peers"]
Moved = Literal["family", "signal"]

SHOWN = 3
_NOTHING = 1e-12


@dataclass(frozen=True)
class Fidelity:
    """How far effects told and effects found agree.

    Attributes
    ----------
    families : tuple of str
        The columns of the arrays.
    told : ndarray of float64, shape (n, k)
        The effect of each family, as reasons tell it, in log-odds.
    found : ndarray of float64, shape (n, k)
        By how much the margin falls when the family's signals are set to what is usual.
    """

    families: tuple[str, ...]
    told: Floats
    found: Floats

    @property
    def shown(self) -> Bools:
        """Which reasons are among the customer's three strongest."""
        ranks = np.argsort(np.argsort(-np.abs(self.told), axis=1, kind="stable"), axis=1)
        return np.asarray((ranks < SHOWN) & self.any)

    @property
    def any(self) -> Bools:
        """Which reasons there are: families without effect are not told."""
        return np.asarray(np.abs(self.told) > _NOTHING)

    def right_sign(self, which: Bools) -> float:
        """Return the share of some reasons that push the way they say; NaN without any."""
        right = np.sign(self.told) == np.sign(self.found)
        return float(right[which].mean()) if which.any() else float("nan")

    def rank_correlation(self, which: Bools) -> float:
        """Return Spearman's correlation between effects told and found; NaN with fewer than 2."""
        if which.sum() < 2:
            return float("nan")
        ranks = [rankdata(side[which]) for side in (self.told, self.found)]
        return float(np.corrcoef(*ranks)[0, 1])

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready figures: of the three strongest, of all, and by family."""
        shown = self.shown
        families = {
            family: {
                "reasons": int(shown[:, place].sum()),
                "right_sign": self.right_sign(shown & (np.arange(len(self.families)) == place)),
            }
            for place, family in enumerate(self.families)
            if shown[:, place].any()
        }
        return {
            "customers": len(self.told),
            "shown": self._figures(shown),
            "all": self._figures(self.any),
            "by_family": families,
        }

    def _figures(self, which: Bools) -> dict[str, float]:
        return {
            "reasons": int(which.sum()),
            "right_sign": self.right_sign(which),
            "rank_correlation": self.rank_correlation(which),
        }


def fidelity(
    model: RiskModel,
    writer: ReasonWriter,
    X: Floats,
    *,
    usual: Floats | None,
    to: Usual = "own",
    moved: Moved = "family",
    segments: Sequence[str | None] | None = None,
) -> Fidelity:
    """Measure reasons against the model they explain.

    Parameters
    ----------
    model : RiskModel
        Whose scores are explained.
    writer : ReasonWriter
        Knows the families, own usuals and peers.
    X : ndarray of float64, shape (n, p)
        Customers.
    usual : ndarray of float64, shape (p + 1,), optional
        What reasons start from; see :func:`churnguard.scoring.reasons.from_usual`.
    to : {"own", "peers"}
        Set signals to the customer's own usual where it is known and to everybody's median
        elsewhere; or to everybody's median throughout.
    moved : {"family", "signal"}
        Set all signals of the family, or only the one by which the reason is told (with those that
        are told by its name).
    segments : sequence of str or None, optional
        Not None: the median of the customer's segment goes before that of everybody.

    Returns
    -------
    Fidelity
    """
    families = writer.families
    shares = from_usual(model.contributions(X), usual)
    margins = model.margins(X)
    reference = _reference(writer, X, to=to, segments=segments)
    told = np.stack([shares[:, list(columns)].sum(axis=1) for columns in families.values()], axis=1)
    found = np.empty_like(told)
    which = _families(writer, X) if moved == "family" else _named(writer, X, shares, segments)
    for place, family in enumerate(families):
        changed = np.where(which[family], reference, X)
        found[:, place] = margins - model.margins(changed)
    found[np.abs(found) <= _NOTHING] = 0.0
    return Fidelity(tuple(families), told, found)


def _families(writer: ReasonWriter, X: Floats) -> dict[str, Bools]:
    """Return by family the columns that are its, shape (n, p)."""
    which = {family: np.zeros(X.shape, dtype=np.bool_) for family in writer.families}
    for family, columns in writer.families.items():
        which[family][:, list(columns)] = True
    return which


def _named(
    writer: ReasonWriter, X: Floats, shares: Floats, segments: Sequence[str | None] | None
) -> dict[str, Bools]:
    """Return by family the columns that its reason names, customer by customer, shape (n, p)."""
    which = {family: np.zeros(X.shape, dtype=np.bool_) for family in writer.families}
    of = segments or [None] * len(X)
    for row, (parts, values, segment) in enumerate(zip(shares, X, of, strict=True)):
        for reason in writer.reasons(parts, values, segment=segment):
            which[reason.family][row, list(writer.told_by[reason.code])] = True
    return which


def _reference(
    writer: ReasonWriter, X: Floats, *, to: Usual, segments: Sequence[str | None] | None
) -> Floats:
    """Return what is usual for each customer, shape (n, p)."""
    names = writer.catalogue.names
    everybody = np.array([writer.peers.get(name, np.nan) for name in names])
    reference = np.tile(everybody, (len(X), 1))
    for row, segment in enumerate(segments or ()):
        own = writer.segment_peers.get(segment or "", {})
        reference[row] = [own.get(name, reference[row, place]) for place, name in enumerate(names)]
    if to == "peers":
        return reference
    for row, values in enumerate(X.tolist()):
        numbers = dict(zip(names, values, strict=True))
        for place, name in enumerate(names):
            usual = writer.catalogue.usual(name, numbers)
            if usual is not None and values[place] == values[place]:
                reference[row, place] = usual
    return reference
