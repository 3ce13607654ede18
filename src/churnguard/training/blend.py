"""A learner by evidence: a weighted sum of simple and rich learners, no richer than the data allow.

A small shop cannot carry trees, a large one should not be held to a rule of thumb, and there is no
size at which the one becomes the other. So every learner is judged on rows that it did not learn
from, and the simple one shares its say with the richer ones only as far as these rows insist.
A sum of additive learners is additive: what each signal adds stays exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnguard.training.dataset import Dataset
from churnguard.training.recipe import Recipe
from churnguard.training.scorers import Scorer, load_scorer

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BlendScorer:
    """A weighted sum of fitted learners.

    Attributes
    ----------
    parts : tuple of (float, Scorer)
        Weight and learner, in the order in which they are added: another order has other bits.
    """

    parts: tuple[tuple[float, Scorer], ...]

    def margins(self, X: Floats) -> Floats:
        """Return raw log-odds, shape (n,)."""
        total = np.zeros(len(X))
        for weight, scorer in self.parts:
            total = total + weight * scorer.margins(X)
        return total

    def contributions(self, X: Floats) -> Floats:
        """Return exact parts of the margin, shape (n, p + 1)."""
        total = np.zeros((len(X), X.shape[1] + 1))
        for weight, scorer in self.parts:
            total = total + weight * scorer.contributions(X)
        return total

    def save(self, folder: Path) -> Mapping[str, Any]:
        """Write the files of all learners and return the description of the sum."""
        parts = [
            {"weight": weight, "scorer": dict(scorer.save(folder))} for weight, scorer in self.parts
        ]
        return {"kind": "auto", "parts": parts}


def fit_auto(
    dataset: Dataset, recipe: Recipe, *, seeds: int | None = None, threads: int = 2
) -> Scorer:
    """Weigh the learners on the dataset and fit those that have a say.

    Parameters
    ----------
    dataset : Dataset
        All of it is learned from.
    recipe : Recipe
        ``choice`` says which learners.
    seeds : int, optional
        Models to average, where fewer than the recipe's will do.
    threads : int
        Parts fitted at the same time; the result does not depend on it.

    Returns
    -------
    Scorer
        The sum, without calibration; :func:`churnguard.training.fit.fit` calibrates it as well.

    Raises
    ------
    RecipeError
        If none of the learners can be fitted to these rows.
    """
    from churnguard.training.choice import choose, fit_chosen  # it builds on this module

    until = int(dataset.cutoffs.max()) + dataset.horizon_us
    choice, _ = choose(dataset, recipe, until_us=until, threads=threads)
    return fit_chosen(choice, dataset, recipe, seeds=seeds, threads=threads)


def load_auto(folder: Path, values: Mapping[str, Any], names: Sequence[str]) -> BlendScorer:
    """Read a sum back from its description and the files beside it.

    Raises
    ------
    BundleMismatch
        If one of its learners was made for other columns, or is of an unknown kind.
    """
    return BlendScorer(
        tuple(
            (float(part["weight"]), load_scorer(folder, part["scorer"], names))
            for part in values["parts"]
        )
    )
