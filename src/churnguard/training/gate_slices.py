"""What the gate asks by slice: a challenger must not be bought with one kind of customer.

A slice is small, so nothing can be proven good in it; a challenger is refused for what is proven
bad beyond chance. A slice with too few rows is reported, and not judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from churnguard.training.comparison import customer_places, paired_means
from churnguard.training.gate_checks import ONE_SIDED, Check, Pair, contacts, loss_differences
from churnguard.training.metrics import calibration_line
from churnguard.training.recipe import GateRecipe

Floats = NDArray[np.float64]

FEWEST_OF_AN_OUTCOME = 30
"""Churners, and others, that a slice must have to be judged."""

_FEWEST_CONTACTS = 20
_TWO_SIDED = 1.96


def slice_checks(
    pairs: Mapping[str, Sequence[Pair]],
    recipe: GateRecipe,
    *,
    share: Mapping[str, float],
    seed: int,
) -> list[Check]:
    """Return the checks of every slice.

    Parameters
    ----------
    pairs : mapping of str to sequence of Pair
        Each slice's rows at each cutoff.
    recipe : GateRecipe
        The bounds.
    share : mapping of str to float
        Each slice's share of all rows, and so of the contacts.
    seed : int
        Of the bootstrap.
    """
    found: list[Check] = []
    for name, parts in pairs.items():
        rows = sum(len(part.y) for part in parts)
        left = sum(int(part.y.sum()) for part in parts)
        if rows < recipe.slice_rows or min(left, rows - left) < FEWEST_OF_AN_OUTCOME:
            found.append(_too_few(name, rows, left, recipe))
            continue
        count = max(_FEWEST_CONTACTS, round(recipe.contacts * share[name]))
        top = contacts(parts, count, deviations=ONE_SIDED)
        found += [
            _loss(name, parts, recipe, seed=seed),
            _slope(name, parts, recipe),
            replace(top, name=f"{name}: {top.name}"),
        ]
    return found


def _too_few(name: str, rows: int, left: int, recipe: GateRecipe) -> Check:
    return Check(
        f"{name}: too few to judge",
        f"{recipe.slice_rows} rows and {FEWEST_OF_AN_OUTCOME} of each outcome",
        f"{rows} rows, {left} left",
        passed=True,
        reported_only=True,
    )


def _loss(name: str, pairs: Sequence[Pair], recipe: GateRecipe, *, seed: int) -> Check:
    """Refuse where even the lower bound of the difference is worse than the gate allows."""
    difference, customers = loss_differences(pairs)
    means = paired_means(difference, customers, resamples=recipe.resamples, seed=seed)
    low = round(float(np.quantile(means, 0.05)), 12)
    return Check(
        f"{name}: log loss against the champion",
        f"lower bound of the difference at most {recipe.worse_log_loss:+.4f}",
        f"{low:+.4f} (mean {difference.mean():+.4f})",
        passed=low <= recipe.worse_log_loss,
    )


def _slope(name: str, pairs: Sequence[Pair], recipe: GateRecipe) -> Check:
    """Refuse a slope that is outside beyond chance, and farther from 1 than the champion's."""
    y = np.concatenate([pair.y for pair in pairs])
    places = customer_places([pair.customers for pair in pairs])
    ours = _line(y, np.concatenate([pair.challenger for pair in pairs]), places)
    theirs = _line(y, np.concatenate([pair.champion for pair in pairs]), places)
    inside = ours.high >= recipe.slope_low and ours.low <= recipe.slope_high
    return Check(
        f"{name}: calibration slope",
        f"{recipe.slope_low:.2f} to {recipe.slope_high:.2f} within its interval, "
        f"or no farther from 1 than the champion's {theirs.slope:.2f}",
        f"{ours.slope:.2f} ({ours.low:.2f} to {ours.high:.2f})",
        passed=inside or abs(ours.slope - 1) <= abs(theirs.slope - 1),
    )


@dataclass(frozen=True)
class _Line:
    slope: float
    low: float
    high: float


def _line(y: NDArray[np.int8], risk: Floats, places: NDArray[np.int64]) -> _Line:
    """Return the calibration slope with its 95 % interval, robust to several rows a customer.

    The variance is the sandwich over clusters (K.-Y. Liang, S. Zeger, "Longitudinal data analysis
    using generalized linear models", Biometrika 73(1), 1986, 13-22).
    """
    slope, intercept = calibration_line(y, risk)
    margin = special.logit(np.clip(risk, 1e-9, 1 - 1e-9))
    design = np.column_stack([margin, np.ones_like(margin)])
    fitted = special.expit(design @ np.array([slope, intercept]))
    bread = np.linalg.pinv(design.T @ (design * (fitted * (1 - fitted))[:, None]))
    pull = design * (y - fitted)[:, None]
    summed = np.column_stack([np.bincount(places, column) for column in pull.T])
    sd = float(np.sqrt(max((bread @ (summed.T @ summed) @ bread)[0, 0], 0.0)))
    return _Line(slope, slope - _TWO_SIDED * sd, slope + _TWO_SIDED * sd)
