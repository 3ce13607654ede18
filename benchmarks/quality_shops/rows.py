"""The rows of a public dataset: taken in by ChurnGuard's own door, signals built, kept for later.

Beside the signals stand the probabilities of the lifetime models for the dataset's own horizon; the
signals of that name look 90 days ahead whatever the horizon is.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from churnguard.bootstrap import open_shop
from churnguard.features.btyd import BgNbd, MbgNbd
from churnguard.features.population import order_history
from churnguard.jobs.ingest import ingest
from churnguard.jobs.lesson import Lesson, prepare_lesson
from churnguard.labels import eligible
from churnguard.project.layout import Layout
from churnguard.project.loader import load_catalogue
from churnguard.project.template import create_project
from churnguard.training.dataset import Dataset
from churnguard.training.recipe import Recipe
from quality_shops.shops import Shop

Floats = NDArray[np.float64]

LIFETIME: Mapping[str, tuple[Callable[..., BgNbd], slice]] = {
    "bg/nbd": (BgNbd, slice(0, 4)),
    "mbg/nbd": (MbgNbd, slice(4, 8)),
}
"""Lifetime models, and where the population has their parameters."""

_EVER_DAYS = 100_000


@dataclass(frozen=True)
class Rows:
    """What all models are judged on.

    Attributes
    ----------
    dataset : Dataset
        Signals and labels.
    judge : tuple of int
        Cutoffs to judge at, microseconds UTC.
    lifetime : mapping of str to ndarray of float64, shape (n,)
        P(no order in the horizon) of each row, by lifetime model.
    """

    dataset: Dataset
    judge: tuple[int, ...]
    lifetime: Mapping[str, Floats]

    def save(self, file: Path) -> None:
        """Write everything into one ``.npz`` file."""
        data = self.dataset
        told = {"names": data.names, "horizon_days": data.horizon_days, "judge": self.judge}
        np.savez_compressed(
            file,
            told=json.dumps(told),
            X=data.X,
            y=data.y,
            customer_ids=data.customer_ids,
            cutoffs=data.cutoffs,
            **cast("dict[str, Any]", self.lifetime),
        )


def load_rows(file: Path) -> Rows:
    """Read what :meth:`Rows.save` wrote."""
    with np.load(file, allow_pickle=False) as kept:
        told = json.loads(str(kept["told"]))
        columns = {name: kept[name] for name in ("X", "y", "customer_ids", "cutoffs")}
        lifetime = {name: kept[name] for name in LIFETIME}
    dataset = Dataset(**columns, names=tuple(told["names"]), horizon_days=int(told["horizon_days"]))
    return Rows(dataset, tuple(told["judge"]), lifetime)


def shop_rows(name: str, shop: Shop, recipe: Recipe, *, keep: Path | None) -> Rows:
    """Return a dataset's rows: those kept, or else built anew.

    Parameters
    ----------
    name : str
        The dataset's folder.
    shop : Shop
        How it is read and judged.
    recipe : Recipe
        Which cutoffs, but for the steps, which are the shop's.
    keep : Path, optional
        Where rows are kept for the next run; to be emptied when signals change.
    """
    file = keep / f"{name}.npz" if keep else None
    if file is not None and file.is_file():
        return load_rows(file)
    with tempfile.TemporaryDirectory() as folder:
        lesson = shop_lesson(name, shop, recipe, Path(folder) / "shop")
        lifetime = {model: _risks(lesson, model) for model in LIFETIME}
    rows = Rows(lesson.dataset, lesson.plan.judge, lifetime)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        rows.save(file)
    return rows


def stepped(recipe: Recipe, shop: Shop) -> Recipe:
    """Return the recipe with the shop's own steps between cutoffs."""
    steps = replace(recipe.cutoffs, step_days=shop.step_days, backtest_step_days=shop.apart_days)
    return replace(recipe, cutoffs=steps)


def shop_lesson(name: str, shop: Shop, recipe: Recipe, root: Path) -> Lesson:
    """Take a dataset's files into a project of its own, and build the rows of every cutoff.

    Parameters
    ----------
    name : str
        The dataset's folder.
    shop : Shop
        How it is read and judged.
    recipe : Recipe
        Which cutoffs, but for the steps, which are the shop's.
    root : Path
        The project's folder; where there is one already, its events are used again.
    """
    fresh = not root.exists()
    if fresh:
        create_project(root, name=name)
    opened = open_shop(
        root,
        environ={},
        horizon_days=shop.horizon_days,
        look_back_days=shop.look_back_days,
    )
    if fresh:
        ingest(opened, shop.paths(name), mapping=shop.mapping(name))
    return prepare_lesson(
        opened,
        load_catalogue(Layout(root)),
        stepped(recipe, shop),
        until=shop.until,
        progress=_say,
    )


def _risks(lesson: Lesson, model: str) -> Floats:
    """Return P(no order in the horizon) of each row by a lifetime model."""
    kind, place = LIFETIME[model]
    data = lesson.dataset
    found: dict[tuple[int, str], float] = {}
    for cutoff in np.unique(data.cutoffs).tolist():
        fitted = kind(*lesson.population.parameters_at(np.array([cutoff]))[0, place])
        for timeline in lesson.history.timelines:
            customers = np.asarray(timeline.customer_ids)[eligible(timeline, cutoff, _EVER_DAYS)]
            frequency, recency, age = order_history(timeline, cutoff)[:, :3].T
            risks = fitted.churn_risk(frequency, recency, age, data.horizon_days)
            found |= {(cutoff, str(c)): r for c, r in zip(customers, risks.tolist(), strict=True)}
    keys = zip(data.cutoffs.tolist(), data.customer_ids.tolist(), strict=True)
    return np.array([found[key] for key in keys])


def _say(what: str, done: int, of: int | None) -> None:
    print(f"{what}: {done}" + (f" of {of}" if of else ""), file=sys.stderr)
