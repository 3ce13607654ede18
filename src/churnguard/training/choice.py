"""How much say each learner gets: judged on rows that it did not learn from, simple ones first.

The weights are those of a logistic regression on the learners' cross-fitted margins, at their most
probable values under a prior in which the learners that need few customers have equal say, and the
trees none. Rows count for what they tell beyond each other, so few customers leave the prior where
it is and many overrule it. Equal say is the safe beginning: log loss is convex in the margin, so a
mean of margins is never worse than the mean of their losses, and which of them is best cannot be
told from few (R. Clemen, "Combining forecasts", Int. Journal of Forecasting 5(4), 1989, 559-583).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from churnguard.errors import RecipeError
from churnguard.training.blend import BlendScorer
from churnguard.training.calibration import calibrate, memory
from churnguard.training.crossfit import cross_fit, folds_of
from churnguard.training.dataset import Dataset
from churnguard.training.folds import Fold
from churnguard.training.metrics import row_log_loss
from churnguard.training.recipe import Recipe
from churnguard.training.scorers import KINDS, Scorer, cutoff_levels, fit_scorer

Floats = NDArray[np.float64]

AUTO = "auto"
SIMPLE = ("rhythm", "btyd")
"""Learners of one or two numbers: with the last that is not clearly worse than those before it all
others are compared."""
TREES = "boosted"
FIRST = (*SIMPLE, "linear")
"""Learners that share the say where there is little evidence: few customers can carry them."""

WORDS: Mapping[str, str] = {
    "rhythm": "the own-rhythm rule",
    "btyd": "the lifetime model",
    "linear": "the linear model",
    "boosted": "boosted trees",
}
"""What a person calls each kind of learner."""

_LEAST_WEIGHT = 0.02
_MOST_ASKED = 100_000
_LARGEST_WEIGHT = 3.0


@dataclass(frozen=True)
class Candidate:
    """One learner, judged on rows that it did not learn from.

    Attributes
    ----------
    kind : str
        A name of ``training.scorers.KINDS``.
    log_loss : float
        Mean over the rows, each learner with a slope of its own and a level for each cutoff.
    difference, noise : float
        Its log loss less that of the simple learner, and the standard error of this difference,
        customers being what is drawn.
    slope : float
        What its margins are multiplied by, so that they neither exaggerate nor understate.
    weight : float
        Its weight in the sum of those margins; 0 where it has no say.
    """

    kind: str
    log_loss: float
    difference: float
    noise: float
    slope: float
    weight: float


@dataclass(frozen=True)
class Choice:
    """Which learners have a say, and why.

    Attributes
    ----------
    simple : str
        The simple learner with which the others are compared.
    candidates : tuple of Candidate
        All that were judged, the simple ones first.
    log_loss : float
        Of the weighted sum, on the same rows.
    mean_rate_log_loss : float
        Of telling every customer the mean rate.
    rows, customers : int
        What they were judged on.
    passed_over : mapping of str to str
        Learners that could not be fitted, and why.
    free : bool
        Whether trees start from nothing although the recipe names a start: of late they told
        unseen customers apart better so, by more than the noise.
    """

    simple: str
    candidates: tuple[Candidate, ...]
    log_loss: float
    mean_rate_log_loss: float
    rows: int
    customers: int
    passed_over: Mapping[str, str] = field(default_factory=dict)
    free: bool = False

    @property
    def weights(self) -> Mapping[str, float]:
        """Weights of those that have a say, the simple one first."""
        return {one.kind: one.weight for one in self.candidates if one.weight}

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        candidates = [asdict(one) for one in self.candidates]
        return {**self.__dict__, "candidates": candidates, "passed_over": dict(self.passed_over)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Choice:
        """Read what :meth:`to_dict` returned."""
        candidates = tuple(Candidate(**one) for one in values["candidates"])
        return cls(**{**values, "candidates": candidates})

    def to_text(self) -> str:
        """Return a sentence or two for a person."""
        total = sum(self.weights.values())
        shares = {WORDS.get(k, k): w / total for k, w in self.weights.items()}
        said = ", ".join(f"{share:.0%} {name}" for name, share in shares.items())
        said = next(iter(shares)) + " alone" if len(shares) == 1 else said
        richer = [one for one in self.candidates if one.kind not in {*SIMPLE, self.simple}]
        against = "; ".join(
            f"{WORDS.get(one.kind, one.kind)} {one.difference:+.4f} (noise {one.noise:.4f})"
            for one in richer
        )
        return (
            f"learner by evidence: {said}. Log loss {self.log_loss:.4f} on {self.customers:,} "
            f"customers that it had not seen; the mean rate has {self.mean_rate_log_loss:.4f}"
            + (f"; against {WORDS[self.simple]}: {against}" if against else "")
            + ("; trees start from nothing" if self.free else "")
        )


def choose(
    known: Dataset, recipe: Recipe, *, until_us: int, threads: int = 2
) -> tuple[Choice, Floats]:
    """Weigh the recipe's learners.

    Parameters
    ----------
    known : Dataset
        Mature rows; nothing else is looked at.
    recipe : Recipe
        ``choice`` names the learners and says how much evidence moves the weights.
    until_us : int
        The instant for which a model is wanted, microseconds UTC.
    threads : int
        Folds fitted at the same time.

    Returns
    -------
    Choice
        The weights with their evidence.
    ndarray of float64, shape (n,)
        Cross-fitted raw margins of the weighted sum.

    Raises
    ------
    RecipeError
        If none of the learners can be fitted to these rows.
    """
    on = _Judging(known, recipe, folds_of(known, recipe), until_us, threads)
    margins, slopes, passed_over = on.judged()
    free = on.freed(margins, slopes)
    kinds = list(margins)
    losses = {kind: _losses(known, margins[kind]) for kind in kinds}
    simple = _simple(losses, known)
    first = [kind for kind in kinds if kind in FIRST] or kinds[:1]
    prior = np.array([float(kind in first) / len(first) for kind in kinds])
    columns = np.column_stack([margins[kind] for kind in kinds])
    effect = _design_effect([losses[kind] - losses[simple] for kind in kinds], known)
    weights = _weights(columns, known, prior, sd=recipe.choice.prior_sd, row_weight=1 / effect)
    blended = np.asarray(columns @ weights)
    choice = Choice(
        simple=simple,
        candidates=tuple(
            Candidate(
                kind,
                float(losses[kind].mean()),
                *_compared(losses[kind] - losses[simple], known),
                slope=slopes[kind],
                weight=float(weight),
            )
            for kind, weight in zip(kinds, weights, strict=True)
        ),
        log_loss=float(_losses(known, blended).mean()),
        mean_rate_log_loss=float(_losses(known, np.zeros(len(known))).mean()),
        rows=len(known),
        customers=len(known.people),
        passed_over=passed_over,
        free=free,
    )
    return choice, blended


def fit_chosen(
    choice: Choice,
    dataset: Dataset,
    recipe: Recipe,
    *,
    seeds: int | None = None,
    threads: int = 2,
) -> Scorer:
    """Fit the learners that have a say on the whole dataset, and add them up.

    Parameters
    ----------
    choice : Choice
        From :func:`choose`.
    dataset : Dataset
        All of it is learned from.
    recipe : Recipe
        How each learner is fitted.
    seeds : int, optional
        Models to average, where fewer than the recipe's will do.
    threads : int
        Parts fitted at the same time; the result does not depend on it.
    """
    recipe = _without_start(recipe) if choice.free else recipe

    def part(one: Candidate) -> tuple[float, Scorer]:
        own = replace(recipe, kind=one.kind)
        return one.weight * one.slope, fit_scorer(dataset, own, seeds=seeds, threads=threads)

    with ThreadPoolExecutor(threads) as pool:
        return BlendScorer(tuple(pool.map(part, (one for one in choice.candidates if one.weight))))


@dataclass(frozen=True)
class _Judging:
    """What learners are judged on: rows, and folds that are the same for all."""

    known: Dataset
    recipe: Recipe
    folds: Sequence[Fold]
    until_us: int
    threads: int

    def judged(self) -> tuple[dict[str, Floats], dict[str, float], dict[str, str]]:
        """Return cross-fitted margins and slopes by learner, and why others are passed over."""
        margins: dict[str, Floats] = {}
        slopes: dict[str, float] = {}
        passed_over: dict[str, str] = {}
        for kind in _kinds(self.recipe):
            try:
                raw, slopes[kind] = self.one(replace(self.recipe, kind=kind))
            except RecipeError as error:
                passed_over[kind] = error.message
                continue
            margins[kind] = slopes[kind] * raw
        if not margins:
            raise RecipeError(
                "None of the recipe's learners can be fitted: " + " ".join(passed_over.values()),
                hint="Name others under [choice] kinds.",
            )
        return margins, slopes, passed_over

    def freed(self, margins: dict[str, Floats], slopes: dict[str, float]) -> bool:
        """Put trees that start from nothing in the place of the others if clearly better.

        Where the lifetime model is far off, trees spend themselves on taking back what they start
        with; newer cutoffs weigh more, for it goes wrong as a cohort ages. Many rows outgrow any
        start, and asking would double what they cost, so they are not asked.
        """
        known, recipe = self.known, self.recipe
        if TREES not in margins or recipe.signals.start not in known.names:
            return False
        if len(known) > _MOST_ASKED:
            return False
        raw, slope = self.one(replace(_without_start(recipe), kind=TREES))
        less = _losses(known, margins[TREES]) - _losses(known, slope * raw)
        weights = memory(known.cutoffs, half_life_days=recipe.calibration.slope_half_life_days)
        better, noise = _compared(weights / weights.mean() * less, known)
        if better <= noise:
            return False
        margins[TREES], slopes[TREES] = slope * raw, slope
        return True

    def one(self, recipe: Recipe) -> tuple[Floats, float]:
        """Return a learner's cross-fitted raw margins, and their slope."""
        raw = cross_fit(self.known, recipe, threads=self.threads, folds=self.folds)
        return raw, calibrate(raw, self.known, recipe, until_us=self.until_us).slope


def _without_start(recipe: Recipe) -> Recipe:
    return replace(recipe, signals=replace(recipe.signals, start=""))


def _kinds(recipe: Recipe) -> list[str]:
    """Return the learners to judge, from the one that needs least data to the one most."""
    unknown = [kind for kind in recipe.choice.kinds if kind not in KINDS or kind == AUTO]
    if unknown:
        raise RecipeError(
            f"The key 'choice.kinds' of the recipe names no learner: '{unknown[0]}'.",
            hint=f"There is {', '.join(kind for kind in KINDS if kind != AUTO)}.",
        )
    return [kind for kind in reversed(list(KINDS)) if kind in recipe.choice.kinds]


def _simple(losses: Mapping[str, Floats], known: Dataset) -> str:
    """Return the simple learner to compare with, or the first learner where there is none."""
    there = [kind for kind in SIMPLE if kind in losses] or list(losses)[:1]
    found = there[-1]
    for kind in reversed(there[:-1]):
        worse, noise = _compared(losses[found] - losses[kind], known)
        found = kind if worse > noise else found
    return found


def _losses(known: Dataset, margins: Floats) -> Floats:
    """Return each row's log loss, with a level for each cutoff."""
    return row_log_loss(known.y, np.asarray(special.expit(cutoff_levels(known, margins))))


def _compared(difference: Floats, known: Dataset) -> tuple[float, float]:
    """Return the mean of a difference and its standard error, by customer."""
    mean = float(difference.mean())
    each = np.bincount(known.customers, difference - mean)
    return mean, float(np.sqrt((each**2).sum()) / len(difference))


def _design_effect(differences: Sequence[Floats], known: Dataset) -> float:
    """Return how many rows tell as much as one that stood alone would.

    Rows of one customer at several cutoffs look at overlapping time and tell much the same story;
    how much shows in the variance of the differences by customer over that by row (L. Kish,
    "Survey Sampling", 1965, ch. 8.2).
    """
    found = []
    for difference in differences:
        off = difference - difference.mean()
        if off.any():
            found.append(float((np.bincount(known.customers, off) ** 2).sum() / (off**2).sum()))
    return max(float(np.mean(found)), 1.0) if found else 1.0


def _weights(
    columns: Floats, known: Dataset, prior: Floats, *, sd: float, row_weight: float
) -> Floats:
    """Return the most probable weights, 0 or more, with a free level for each cutoff."""
    cutoffs, places = np.unique(known.cutoffs, return_inverse=True)
    count = len(prior)

    def negative(theta: Floats) -> tuple[float, Floats]:
        off = (theta[:count] - prior) / sd
        margins = columns @ theta[:count] + theta[count:][places]
        told = np.logaddexp(0.0, margins).sum() - known.y @ margins
        error = row_weight * (special.expit(margins) - known.y)
        slope = np.concatenate([columns.T @ error + off / sd, np.bincount(places, error)])
        return float(row_weight * told + (off**2).sum() / 2), slope

    found = optimize.minimize(
        negative,
        np.concatenate([prior, np.zeros(len(cutoffs))]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, _LARGEST_WEIGHT)] * count + [(-8.0, 8.0)] * len(cutoffs),
    )
    weights = np.where(found.x[:count] < _LEAST_WEIGHT, 0.0, found.x[:count])
    return np.asarray(weights if weights.any() else prior)
