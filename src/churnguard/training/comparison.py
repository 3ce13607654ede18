"""Paired comparisons tell a better model from one that was luckier with these customers.

Both models are judged on the same rows, and whole customers are drawn again and again with all
their rows (B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 8.6 on drawing
units, ch. 13 on percentile intervals), so what the two have in common cancels out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnguard.training.backtest import MODEL, Backtest, Judged
from churnguard.training.metrics import Labels, row_log_loss

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LEVEL = 0.95
_MOST_DRAWN_ROWS = 5_000_000
_MOST_ROWS = 40_000
_FEWEST_RESAMPLES = 100


@dataclass(frozen=True)
class Comparison:
    """The recipe's model less another one, in one metric, meaned over the cutoffs.

    Attributes
    ----------
    against, metric : str
        The other model, and ``log_loss`` (less is better) or ``auc`` (more is better).
    mean, low, high : float
        The difference and its 95 % interval.
    """

    against: str
    metric: str
    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, or ``even`` where the interval holds 0."""
        if self.low <= 0.0 <= self.high:
            return "even"
        return "better" if (self.mean > 0) == (self.metric == "auc") else "worse"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {**self.__dict__, "verdict": self.verdict}


def compare_models(
    judged: Backtest, *, resamples: int = 500, seed: int = 1
) -> tuple[Comparison, ...]:
    """Compare the recipe's model with every baseline, in log loss and AUC.

    Parameters
    ----------
    judged : Backtest
        All models on the same rows.
    resamples : int
        Resamples; fewer are drawn, down to 100, once rows times resamples pass five million.
    seed : int
        Of the bootstrap.

    Returns
    -------
    tuple of Comparison
        Two for each baseline; none where nothing was judged.
    """
    if not judged.judged:
        return ()
    places = customer_places([one.customer_ids for one in judged.judged])
    parts = np.split(places, np.cumsum([len(one.y) for one in judged.judged])[:-1])
    drawable = _drawable(places, seed=seed)
    kept = [np.flatnonzero(drawable[part]) for part in parts]
    cutoffs = [
        _Cutoff.of(one, judged.models, rows) for one, rows in zip(judged.judged, kept, strict=True)
    ]
    _, renamed = np.unique(places[drawable[places]], return_inverse=True)
    parts = np.split(renamed, np.cumsum([len(rows) for rows in kept])[:-1])
    count = min(resamples, max(_MOST_DRAWN_ROWS // len(renamed), _FEWEST_RESAMPLES))
    drawn = [
        _figures(cutoffs, [times[part] for part in parts])
        for times in customer_draws(renamed, count, seed=seed)
    ]
    once = _figures(cutoffs, [np.ones(len(one.y)) for one in cutoffs])
    means = [judged.mean(name) for name in judged.models]
    figures = np.array([[mean["log_loss"], mean["auc"]] for mean in means])
    return _comparisons(judged.models, figures, np.array(drawn) - once + figures)


def _drawable(places: Ints, *, seed: int) -> NDArray[np.bool_]:
    """Tell which customers are drawn from: in a large shop so many as have about 40,000 rows.

    Fewer customers than there are make an interval wider, never narrower.
    """
    count = int(places.max()) + 1
    share = min(1.0, _MOST_ROWS / len(places))
    chosen = np.zeros(count, dtype=bool)
    chosen[np.random.default_rng(seed).permutation(count)[: max(1, round(share * count))]] = True
    return chosen


def paired_means(
    difference: Floats, customers: NDArray[np.str_], *, resamples: int, seed: int
) -> Floats:
    """Return resampled means of a difference, drawn by customer.

    Parameters
    ----------
    difference : ndarray of float64, shape (n,)
        Challenger less champion, row by row.
    customers : ndarray of str, shape (n,)
        Whose rows they are; all rows of a customer are drawn together.
    resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    ndarray of float64, shape (resamples,)

    Examples
    --------
    >>> drawn = paired_means(np.full(4, 0.1), np.array(["a", "a", "b", "c"]), resamples=9, seed=1)
    >>> np.allclose(drawn, 0.1)
    True
    """
    places = customer_places([customers])
    totals, counts = np.bincount(places, difference), np.bincount(places)
    draws = customer_draws(places, resamples, seed=seed)
    return np.array([(times @ totals) / (times @ counts) for times in draws])


def customer_places(customers: Sequence[NDArray[np.str_]]) -> Ints:
    """Return a number for each row's customer, over all cutoffs one after the other."""
    _, places = np.unique(np.concatenate(customers), return_inverse=True)
    return np.asarray(places, dtype=np.int64)


def customer_draws(places: Ints, resamples: int, *, seed: int) -> Iterator[Floats]:
    """Yield how often each customer was drawn, once a resample."""
    random = np.random.default_rng(seed)
    count = int(places.max()) + 1
    for _ in range(resamples):
        yield np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64)


@dataclass(frozen=True)
class _Ranked:
    """One model's rows of one cutoff, sorted by risk once, so that a weighted AUC costs a pass."""

    order: Ints
    starts: Ints
    losses: Floats

    @classmethod
    def of(cls, y: Labels, risk: Floats) -> _Ranked:
        order = np.argsort(risk, kind="stable")
        starts = np.flatnonzero(np.append(True, np.diff(risk[order]) != 0))
        return cls(order, starts, row_log_loss(y, risk))

    def auc(self, churned: Floats, stayed: Floats) -> float:
        """Return the AUC of rows that weigh so much; ties count half."""
        above = np.add.reduceat(churned[self.order], self.starts)
        below = np.add.reduceat(stayed[self.order], self.starts)
        pairs = above @ (np.cumsum(below) - below / 2)
        return float(pairs / max(above.sum() * below.sum(), 1e-300))


@dataclass(frozen=True)
class _Cutoff:
    y: Labels
    models: tuple[_Ranked, ...]

    @classmethod
    def of(cls, one: Judged, models: Sequence[str], rows: Ints) -> _Cutoff:
        y = one.y[rows]
        return cls(y, tuple(_Ranked.of(y, one.risks[name][rows]) for name in models))

    def figures(self, weight: Floats) -> list[tuple[float, float]]:
        """Return log loss and AUC of each model."""
        churned, stayed = weight * self.y, weight * (1 - self.y)
        total = max(weight.sum(), 1e-300)
        return [
            (float(weight @ each.losses / total), each.auc(churned, stayed)) for each in self.models
        ]


def _figures(cutoffs: Sequence[_Cutoff], weights: Sequence[Floats]) -> Floats:
    """Return log loss and AUC of each model, meaned over the cutoffs: shape (models, 2)."""
    found = [one.figures(weight) for one, weight in zip(cutoffs, weights, strict=True)]
    return np.asarray(np.mean(found, axis=0))


def _comparisons(models: Sequence[str], figures: Floats, drawn: Floats) -> tuple[Comparison, ...]:
    ours = models.index(MODEL)
    tail = (1 - _LEVEL) / 2
    found = []
    for place, name in enumerate(models):
        for column, metric in enumerate(("log_loss", "auc")):
            if place != ours:
                mean = float(figures[ours, column] - figures[place, column])
                spread = drawn[:, ours, column] - drawn[:, place, column]
                low, high = np.quantile(spread, [tail, 1 - tail])
                found.append(Comparison(name, metric, mean, float(low), float(high)))
    return tuple(found)
