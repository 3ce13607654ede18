"""What the gate asks on the whole: a plausible, sorting, calibrated, no worse challenger.

Each question is one function that answers with a :class:`Check`, in words for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churnguard.training.backtest import MODEL, Backtest
from churnguard.training.comparison import paired_means
from churnguard.training.metrics import auc, row_log_loss
from churnguard.training.recipe import GateRecipe

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

PLAIN = ("recency", "rfm logistic", "bg/nbd")
"""Baselines of a few declared columns: what leaks into other columns cannot reach them."""

ONE_SIDED = 1.645


@dataclass(frozen=True)
class Check:
    """One thing that the gate asks.

    Attributes
    ----------
    name, wanted, got : str
        In words, for a person.
    passed : bool
        Whether it holds; a check that is only reported always does.
    reported_only : bool
        Too few rows to be judged.
    """

    name: str
    wanted: str
    got: str
    passed: bool
    reported_only: bool = False


@dataclass(frozen=True)
class Pair:
    """Some rows of one cutoff under both recipes.

    Attributes
    ----------
    customers : ndarray of str, shape (n,)
        Whose rows they are.
    y : ndarray of int8, shape (n,)
        What happened.
    challenger, champion : ndarray of float64, shape (n,)
        Both risks.
    """

    customers: NDArray[np.str_]
    y: NDArray[np.int8]
    challenger: Floats
    champion: Floats

    def take(self, rows: Mask) -> Pair:
        """Return some of the rows."""
        return Pair(self.customers[rows], self.y[rows], self.challenger[rows], self.champion[rows])


def plausible(challenger: Backtest, pairs: Sequence[Pair], recipe: GateRecipe) -> Check:
    """Distrust a jump that no honest signal makes: it is how a look into the future shows.

    The errors of a ranking are ``1 - AUC``, the share of pairs in the wrong order. They are held
    against the fewest among the champion and the baselines that use a few declared columns only.
    """
    known = [challenger.mean(name)["auc"] for name in challenger.models if name in PLAIN]
    if pairs:
        known.append(float(np.mean([auc(pair.y, pair.champion) for pair in pairs])))
    found = challenger.mean()["auc"]
    best = max(known, default=0.5)
    most = 1 - recipe.least_error_share * (1 - best)
    return Check(
        "too good to be true",
        f"AUC at most {most:.3f}, with {best:.3f} as the best that is known",
        f"{found:.3f}" + ("" if found <= most else ": a signal may know the future"),
        passed=found <= most,
    )


def tells_apart(challenger: Backtest) -> Check:
    """Ask that churners rank above the others more often than chance would have it."""
    ys = np.concatenate([one.y for one in challenger.judged])
    left = max(int(ys.sum()), 1)
    stayed = max(len(ys) - left, 1)
    chance = ONE_SIDED * float(np.sqrt((len(ys) + 1) / (12 * left * stayed)))
    found = challenger.mean()["auc"]
    return Check(
        "tells churners from others",
        f"AUC over {0.5 + chance:.3f}, which chance alone may reach",
        f"{found:.3f}{_why(challenger, found, chance)}",
        passed=found > 0.5 + chance,
    )


def _why(challenger: Backtest, found: float, chance: float) -> str:
    if all(float(np.ptp(one.risks[MODEL])) == 0.0 for one in challenger.judged):
        return ": everybody has the same risk"
    if found < 0.5 - chance:
        return ": the scores stand upside down"
    return ": no better than chance" if found <= 0.5 + chance else ""


def slope(challenger: Backtest, recipe: GateRecipe) -> Check:
    """Ask that risks are neither too bold nor too timid: the calibration line is near 1."""
    found = challenger.mean()["slope"]
    inside = recipe.slope_low <= found <= recipe.slope_high
    how = "too bold" if found < recipe.slope_low else "too timid"
    return Check(
        "calibration slope",
        f"{recipe.slope_low:.2f} to {recipe.slope_high:.2f}",
        f"{found:.2f}" + ("" if inside else f": the risks are {how}"),
        passed=inside,
    )


def loss(pairs: Sequence[Pair], recipe: GateRecipe, *, seed: int, weaker: bool) -> Check:
    """Ask that the log loss is not worse, at the upper bound of the paired bootstrap."""
    difference, customers = loss_differences(pairs)
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


def contacts(pairs: Sequence[Pair], count: int, *, deviations: float = 1.0) -> Check:
    """Ask that real churners among the contacted are not fewer, beyond what chance allows.

    Chance is so many standard deviations of the difference between two lists drawn apart.
    """
    challenger = np.array([_real(pair.y, pair.challenger, count) for pair in pairs])
    champion = np.array([_real(pair.y, pair.champion, count) for pair in pairs])
    contacted = sum(min(count, len(pair.y)) for pair in pairs)
    share = float(champion.sum()) / max(contacted, 1)
    chance = deviations * float(np.sqrt(2 * share * (1 - share) * contacted))
    return Check(
        f"of the {count} you can contact, how many are real",
        f"at least {champion.mean():.0f} less chance ({chance / len(pairs):.0f})",
        f"{challenger.mean():.0f}",
        passed=float(challenger.sum()) >= float(champion.sum()) - chance,
    )


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
    means = paired_means(difference, customers, resamples=resamples, seed=seed)
    return round(float(np.quantile(means, 0.95)), 12)


def loss_differences(pairs: Sequence[Pair]) -> tuple[Floats, NDArray[np.str_]]:
    """Return each row's log loss, challenger less champion, and whose row it is."""
    differences = [
        row_log_loss(pair.y, pair.challenger) - row_log_loss(pair.y, pair.champion)
        for pair in pairs
    ]
    return np.concatenate(differences), np.concatenate([pair.customers for pair in pairs])


def _real(y: NDArray[np.int8], risk: Floats, count: int) -> int:
    return int(y[np.argsort(-risk, kind="stable")[:count]].sum())
