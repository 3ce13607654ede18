"""The gate: may this challenger become champion? Both recipes on the same backtest, row by row.

It asks whether the challenger is too good to be true, tells churners from others at all, has a
calibration slope near 1, is not worse in log loss (paired bootstrap by customer, so that one
customer's rows at several cutoffs count once), and finds as many real churners among those one can
contact: overall, and by slice. With fewer than three cutoffs the bootstrap means little: the gate
says that it was weaker, looks at means only and at no slice, and needs a named approver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from churnguard.errors import PromotionRefused
from churnguard.training.backtest import MODEL, Backtest
from churnguard.training.gate_checks import (
    Check,
    Mask,
    Pair,
    contacts,
    loss,
    paired_bound,
    plausible,
    slope,
    tells_apart,
)
from churnguard.training.gate_slices import slice_checks
from churnguard.training.recipe import GateRecipe

__all__ = ["Check", "Verdict", "compare", "paired_bound"]


@dataclass(frozen=True)
class Verdict:
    """What the gate found.

    Attributes
    ----------
    checks : tuple of Check
        Everything that was asked.
    weaker : bool
        There were too few cutoffs for the full gate.
    """

    checks: tuple[Check, ...]
    weaker: bool

    @property
    def passed(self) -> bool:
        """Every check holds."""
        return all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "passed": self.passed,
            "weaker": self.weaker,
            "checks": [dict(check.__dict__) for check in self.checks],
        }

    def raise_if_refused(self) -> None:
        """Raise for the first check that does not hold.

        Raises
        ------
        PromotionRefused
            Names the check, what it wanted and what it got.
        """
        for check in self.checks:
            if not check.passed:
                raise PromotionRefused(
                    check.name,
                    wanted=check.wanted,
                    got=check.got,
                    hint=_HINTS.get(check.name, _HINT),
                )


_HINT = "The champion stays; 'churnguard models show' tells how each was judged."
_HINTS = {
    "too good to be true": "Run 'churnguard check --leakage' and look at the signals that are new. "
    "If it is true after all, 'churnguard models promote' lets a named person answer for it."
}


def compare(
    challenger: Backtest,
    champion: Backtest | None,
    recipe: GateRecipe,
    *,
    seed: int = 1,
    approver: str | None = None,
) -> Verdict:
    """Judge a challenger's backtest, against the champion's where there is one.

    Parameters
    ----------
    challenger, champion : Backtest
        Backtests of the two recipes. Cutoffs that both were judged at are compared.
    recipe : GateRecipe
        The bounds.
    seed : int
        Of the bootstrap.
    approver : str, optional
        Who answers for a promotion through the weaker gate.
    """
    matched = _matched(challenger, champion) if champion else []
    pairs = [one.pair for one in matched]
    weaker = len(pairs if champion else challenger.judged) < recipe.min_cutoffs
    checks: list[Check] = []
    if challenger.judged:
        checks += [plausible(challenger, pairs, recipe), tells_apart(challenger)]
        checks += [slope(challenger, recipe)]
    if pairs:
        checks += [loss(pairs, recipe, seed=seed, weaker=weaker), contacts(pairs, recipe.contacts)]
    if pairs and not weaker:
        checks += _slices(matched, recipe, seed=seed)
    if weaker:
        checks.append(_named(approver, recipe))
    return Verdict(tuple(checks), weaker)


def _named(approver: str | None, recipe: GateRecipe) -> Check:
    return Check(
        "named approver",
        f"somebody who answers for it, with fewer than {recipe.min_cutoffs} cutoffs",
        approver or "nobody",
        passed=bool(approver),
    )


@dataclass(frozen=True)
class _Matched:
    """One cutoff's rows under both recipes, and who is in which slice."""

    pair: Pair
    slices: Mapping[str, Mask]


def _matched(challenger: Backtest, champion: Backtest) -> list[_Matched]:
    """Return the customers that both recipes scored, cutoff by cutoff."""
    known = {one.cutoff_us: one for one in champion.judged}
    found = []
    for one in challenger.judged:
        other = known.get(one.cutoff_us)
        if other is not None:
            _, mine, theirs = np.intersect1d(
                one.customer_ids, other.customer_ids, return_indices=True
            )
            pair = Pair(
                one.customer_ids[mine],
                one.y[mine],
                one.risks[MODEL][mine],
                other.risks[MODEL][theirs],
            )
            found.append(_Matched(pair, {name: m[mine] for name, m in one.slices.items()}))
    return found


def _slices(matched: list[_Matched], recipe: GateRecipe, *, seed: int) -> list[Check]:
    names = dict.fromkeys(name for one in matched for name in one.slices)
    by_slice = {
        name: [
            one.pair.take(one.slices[name])
            for one in matched
            if name in one.slices and one.slices[name].any()
        ]
        for name in names
    }
    rows = sum(len(one.pair.y) for one in matched)
    share = {
        name: sum(len(part.y) for part in parts) / max(rows, 1) for name, parts in by_slice.items()
    }
    return slice_checks(by_slice, recipe, share=share, seed=seed)
