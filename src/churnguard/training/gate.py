"""The gate: may this challenger become champion? Both recipes on the same backtest, row by row.

It asks three things: not worse in log loss (paired bootstrap by customer, so that one customer's
rows at several cutoffs count once), a calibration slope near 1, and as many real churners among
those one can contact. With fewer than three cutoffs the bootstrap means little: the gate says that
it was weaker, looks at means only, and needs a named approver.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnguard.errors import PromotionRefused
from churnguard.training.backtest import MODEL, Backtest
from churnguard.training.metrics import row_log_loss
from churnguard.training.recipe import GateRecipe

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Check:
    """One thing that the gate asks.

    Attributes
    ----------
    name, wanted, got : str
        In words, for a person.
    passed : bool
        Whether it holds.
    """

    name: str
    wanted: str
    got: str
    passed: bool


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
                    hint="The champion stays; 'churnguard models show' tells how each was judged.",
                )


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
    pairs = _pairs(challenger, champion) if champion else []
    weaker = len(pairs if champion else challenger.judged) < recipe.min_cutoffs
    checks = [_slope(challenger, recipe)] if challenger.judged else []
    if pairs:
        checks += [_loss(pairs, recipe, seed=seed, weaker=weaker), _contacts(pairs, recipe)]
    if weaker:
        checks.append(
            Check(
                "named approver",
                f"somebody who answers for it, with fewer than {recipe.min_cutoffs} cutoffs",
                approver or "nobody",
                passed=bool(approver),
            )
        )
    return Verdict(tuple(checks), weaker)


def paired_bound(
    difference: Floats, customers: NDArray[np.str_], *, resamples: int, seed: int
) -> float:
    """Return the 95 % upper bound of a mean difference, by bootstrap over customers.

    Parameters
    ----------
    difference : ndarray of float64, shape (n,)
        Challenger less champion, row by row.
    customers : ndarray of str, shape (n,)
        Whose rows they are; all rows of a customer are drawn together.
    resamples, seed : int
        Of the bootstrap.

    Examples
    --------
    >>> paired_bound(np.full(4, 0.1), np.array(["a", "a", "b", "c"]), resamples=50, seed=1)
    0.1
    """
    _, places = np.unique(customers, return_inverse=True)
    totals, counts = np.bincount(places, difference), np.bincount(places)
    random = np.random.default_rng(seed)
    means = []
    for _ in range(resamples):
        drawn = random.integers(0, len(totals), len(totals))
        means.append(totals[drawn].sum() / counts[drawn].sum())
    return round(float(np.quantile(means, 0.95)), 12)


@dataclass(frozen=True)
class _Pair:
    """One cutoff's rows under both recipes."""

    customers: NDArray[np.str_]
    y: NDArray[np.int8]
    challenger: Floats
    champion: Floats


def _pairs(challenger: Backtest, champion: Backtest) -> list[_Pair]:
    known = {one.cutoff_us: one for one in champion.judged}
    found = []
    for one in challenger.judged:
        other = known.get(one.cutoff_us)
        if other is not None:
            _, mine, theirs = np.intersect1d(
                one.customer_ids, other.customer_ids, return_indices=True
            )
            found.append(
                _Pair(
                    one.customer_ids[mine],
                    one.y[mine],
                    one.risks[MODEL][mine],
                    other.risks[MODEL][theirs],
                )
            )
    return found


def _loss(pairs: list[_Pair], recipe: GateRecipe, *, seed: int, weaker: bool) -> Check:
    difference = np.concatenate(
        [
            row_log_loss(pair.y, pair.challenger) - row_log_loss(pair.y, pair.champion)
            for pair in pairs
        ]
    )
    customers = np.concatenate([pair.customers for pair in pairs])
    bound = (
        float(difference.mean())
        if weaker
        else paired_bound(difference, customers, resamples=recipe.resamples, seed=seed)
    )
    what = "mean" if weaker else "upper bound"
    return Check(
        "log loss against the champion",
        f"{what} of the difference at most {recipe.worse_log_loss:+.4f}",
        f"{bound:+.4f} (mean {difference.mean():+.4f})",
        passed=bound <= recipe.worse_log_loss,
    )


def _slope(challenger: Backtest, recipe: GateRecipe) -> Check:
    slope = challenger.mean()["slope"]
    return Check(
        "calibration slope",
        f"{recipe.slope_low:.2f} to {recipe.slope_high:.2f}",
        f"{slope:.2f}",
        passed=recipe.slope_low <= slope <= recipe.slope_high,
    )


def _contacts(pairs: list[_Pair], recipe: GateRecipe) -> Check:
    """Ask that real churners among the contacted are not fewer, beyond what chance allows."""
    challenger = np.array([_real(pair.y, pair.challenger, recipe.contacts) for pair in pairs])
    champion = np.array([_real(pair.y, pair.champion, recipe.contacts) for pair in pairs])
    count = sum(min(recipe.contacts, len(pair.y)) for pair in pairs)
    share = float(champion.sum()) / count
    chance = float(np.sqrt(2 * share * (1 - share) * count))
    return Check(
        f"of the {recipe.contacts} you can contact, how many are real",
        f"at least {champion.mean():.0f} less chance ({chance / len(pairs):.0f})",
        f"{challenger.mean():.0f}",
        passed=float(challenger.sum()) >= float(champion.sum()) - chance,
    )


def _real(y: NDArray[np.int8], risk: Floats, count: int) -> int:
    return int(y[np.argsort(-risk, kind="stable")[:count]].sum())
