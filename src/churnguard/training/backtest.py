"""The recipe is what is judged: fit on what was mature at a past cutoff, score it once, look.

Every cutoff is judged beside the baselines, on the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from churnguard.clock import from_us, iso
from churnguard.errors import NotEnoughHistory
from churnguard.training.baselines import BASELINES, Baseline
from churnguard.training.dataset import Dataset
from churnguard.training.fit import fit
from churnguard.training.metrics import all_metrics
from churnguard.training.one_core import one_core
from churnguard.training.recipe import Recipe
from churnguard.training.slice_calibration import (
    EVERYBODY,
    SliceCalibration,
    slice_calibration,
    to_text,
)
from churnguard.training.slices import slices

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

MODEL = "churnguard"
COLUMNS = ("auc", "average_precision", "log_loss", "brier", "ece", "slope", "lift_10", "top_share")
KEPT = ("net_spend_365d", "orders_365d")
"""Signals that judged rows keep, so that a report can tell what customers are worth."""


@dataclass(frozen=True)
class Judged:
    """One cutoff's rows with their outcome and every model's risks.

    Attributes
    ----------
    cutoff_us : int
        The cutoff.
    customer_ids : ndarray of str, shape (n,)
        The customers.
    y : ndarray of int8, shape (n,)
        What happened.
    risks : mapping of str to ndarray of float64, shape (n,)
        By model: the recipe's is ``churnguard``.
    inside : float
        Share of ten equal groups whose churn rate lay in the mean interval of the group.
    slices : mapping of str to ndarray of bool, shape (n,)
        Who is in which slice; see :mod:`churnguard.training.slices`.
    signals : mapping of str to ndarray of float64, shape (n,)
        Those of :data:`KEPT` that there are.
    """

    cutoff_us: int
    customer_ids: NDArray[np.str_]
    y: NDArray[np.int8]
    risks: Mapping[str, Floats]
    inside: float
    slices: Mapping[str, Mask] = field(default_factory=dict)
    signals: Mapping[str, Floats] = field(default_factory=dict)

    def metrics(self, *, contacts: int) -> Mapping[str, Mapping[str, float]]:
        """Return every model's metrics."""
        return {
            name: all_metrics(self.y, risk, contacts=contacts) for name, risk in self.risks.items()
        }


@dataclass(frozen=True)
class Backtest:
    """How good a recipe is, cutoff by cutoff, beside the baselines.

    Attributes
    ----------
    judged : tuple of Judged
        Oldest cutoff first. Holds customers: never written down; :meth:`to_dict` has aggregates.
    contacts : int
        N of "of the N you can contact, how many are real".
    left_out : tuple of int
        Cutoffs at which too little was mature to fit, microseconds UTC.
    """

    judged: tuple[Judged, ...]
    contacts: int
    left_out: tuple[int, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """Models that were judged at every cutoff, the recipe's last."""
        first = self.judged[0].risks if self.judged else {}
        return tuple(name for name in first if all(name in one.risks for one in self.judged))

    @cached_property
    def figures(self) -> tuple[Mapping[str, Mapping[str, float]], ...]:
        """Each cutoff's metrics by model, computed once."""
        return tuple(one.metrics(contacts=self.contacts) for one in self.judged)

    def per_cutoff(self) -> list[dict[str, Any]]:
        """Return one row a cutoff and model: cutoff, customers, churn_rate, model, metrics."""
        return [
            {
                "cutoff": iso(from_us(one.cutoff_us)),
                "customers": len(one.y),
                "churn_rate": float(one.y.mean()),
                "model": name,
                **figures[name],
            }
            for one, figures in zip(self.judged, self.figures, strict=True)
            for name in self.models
        ]

    def mean(self, model: str = MODEL) -> Mapping[str, float]:
        """Return a model's metrics, meaned over the cutoffs."""
        found = [figures[model] for figures in self.figures]
        return (
            {name: float(np.mean([each[name] for each in found])) for name in found[0]}
            if found
            else {}
        )

    def by_slice(self, model: str = MODEL) -> tuple[SliceCalibration, ...]:
        """Return how far a model's risks are off, of everybody and of each slice."""
        names = dict.fromkeys([EVERYBODY, *(name for one in self.judged for name in one.slices)])
        return tuple(self._calibration(name, model) for name in names) if self.judged else ()

    def _calibration(self, name: str, model: str) -> SliceCalibration:
        masks = [
            np.full(len(one.y), name == EVERYBODY) if name not in one.slices else one.slices[name]
            for one in self.judged
        ]
        parts = list(zip(self.judged, masks, strict=True))
        return slice_calibration(
            name,
            np.concatenate([one.y[mask] for one, mask in parts]),
            np.concatenate([one.risks[model][mask] for one, mask in parts]),
            np.concatenate([one.customer_ids[mask] for one, mask in parts]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values: aggregates only, no customer."""
        return {
            "cutoffs": [iso(from_us(one.cutoff_us)) for one in self.judged],
            "left_out": [iso(from_us(cutoff)) for cutoff in self.left_out],
            "contacts": self.contacts,
            "mean": {name: dict(self.mean(name)) for name in self.models},
            "interval_groups_inside": float(np.mean([one.inside for one in self.judged]))
            if self.judged
            else None,
            "per_cutoff": self.per_cutoff(),
            "by_slice": [one.to_dict() for one in self.by_slice()],
        }

    def to_text(self) -> str:
        """Return a table for a person."""
        if not self.judged:
            return "There is no past cutoff at which a model could have been fitted and judged."
        title = f"mean of {len(self.judged)} cutoffs"
        lines = [f"{title:<18}" + "".join(f"{name:>{_width(name)}}" for name in COLUMNS)]
        lines += [f"{name:<18}" + _cells(self.mean(name)) for name in self.models]
        lines.append(f"{MODEL} by cutoff")
        for one, figures in zip(self.judged, self.figures, strict=True):
            day = iso(from_us(one.cutoff_us))[:10]
            lines.append(f"{day:<18}" + _cells(figures[MODEL]))
        lines += ["", f"{MODEL} by slice, all cutoffs together", to_text(self.by_slice())]
        return "\n".join(lines)


def _cells(values: Mapping[str, float]) -> str:
    return "".join(f"{values[name]:>{_width(name)}.3f}" for name in COLUMNS)


def _width(name: str) -> int:
    return max(len(name), 5) + 2


def backtest(
    dataset: Dataset,
    recipe: Recipe,
    *,
    cutoffs: Sequence[int],
    look_back_days: int = 365,
    threads: int = 2,
    progress: Callable[[int, int], None] | None = None,
    peers: Mapping[str, Baseline] = BASELINES,
) -> Backtest:
    """Judge a recipe at past cutoffs.

    Parameters
    ----------
    dataset : Dataset
        Rows of the cutoffs to judge and of those to learn from, labels known.
    recipe : Recipe
        What is judged.
    cutoffs : sequence of int
        Cutoffs to judge at, microseconds UTC. At each, only labels mature by then are learned
        from. A cutoff at which they are too few is left out and named.
    look_back_days : int
        How recent an order makes eligible; half of it makes the slice of the dormant.
    threads : int
        Cutoffs judged at the same time; figures do not depend on it.
    progress : callable, optional
        Told how many cutoffs are done, and of how many.
    peers : mapping of str to callable
        What it is judged beside.
    """
    wanted = sorted(cutoffs)

    def judge(cutoff: int) -> Judged | None:
        try:
            return _judge(dataset, recipe, cutoff, look_back_days, peers)
        except NotEnoughHistory:
            return None

    found: list[Judged | None] = []
    if progress is not None:
        progress(0, len(wanted))
    with one_core(), ThreadPoolExecutor(threads) as pool:
        for one in pool.map(judge, reversed(wanted)):  # the newest has most to learn from
            found.insert(0, one)
            if progress is not None:
                progress(len(found), len(wanted))
    return Backtest(
        judged=tuple(one for one in found if one is not None),
        contacts=recipe.gate.contacts,
        left_out=tuple(cut for cut, one in zip(wanted, found, strict=True) if one is None),
    )


def _judge(
    dataset: Dataset,
    recipe: Recipe,
    cutoff: int,
    look_back_days: int,
    peers: Mapping[str, Baseline],
) -> Judged:
    known = dataset.take(dataset.mature(until_us=cutoff))
    now = dataset.take(dataset.cutoffs == cutoff)
    if not len(now):
        raise NotEnoughHistory(f"There are no customers at {iso(from_us(cutoff))}.")
    model = fit(known, recipe, until_us=cutoff, threads=1)
    margins = model.margins(now.X)
    risks: dict[str, Floats] = {}
    for name, peer in peers.items():
        found = peer(known, now)
        if found is not None:
            risks[name] = found
    risks[MODEL] = np.asarray(special.expit(margins))
    inside = _inside(now.y, margins, model.intervals(margins))
    kept = {name: values for name in KEPT if (values := now.column(name)) is not None}
    groups = slices(now, look_back_days=look_back_days)
    return Judged(cutoff, now.customer_ids, now.y, risks, inside, groups, kept)


def _inside(y: NDArray[np.int8], margins: Floats, bounds: Floats) -> float:
    """Return the share of ten equal groups whose churn rate lay within their mean interval."""
    groups = [part for part in np.array_split(np.argsort(margins, kind="stable"), 10) if len(part)]
    held = [bounds[part, 0].mean() <= y[part].mean() <= bounds[part, 1].mean() for part in groups]
    return float(np.mean(held))
