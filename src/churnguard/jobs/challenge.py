"""A challenger asks to become champion: both recipes on the same backtest, through the gate."""

from __future__ import annotations

import json
from dataclasses import replace

from churnguard.jobs.lesson import Lesson
from churnguard.jobs.ports import LedgerEntry, Shop
from churnguard.project.layout import Layout
from churnguard.scoring.bundle import check_bundle
from churnguard.scoring.signature import read_trusted
from churnguard.training.backtest import Backtest, backtest
from churnguard.training.dataset import Dataset
from churnguard.training.gate import Verdict, compare
from churnguard.training.recipe import Recipe


def challenge(
    shop: Shop,
    champion: LedgerEntry,
    lesson: Lesson,
    recipe: Recipe,
    judged: Backtest,
    *,
    approver: str | None,
) -> Verdict:
    """Hold a challenger's backtest against the champion's recipe on the same rows.

    Parameters
    ----------
    shop : Shop
        An opened project.
    champion : LedgerEntry
        Whose recipe and signals are read from its bundle.
    lesson : Lesson
        The rows.
    recipe : Recipe
        The challenger's, whose gate decides.
    judged : Backtest
        The challenger's.
    approver : str, optional
        Who answers for a promotion where there are few cutoffs.
    """
    layout = Layout(shop.root)
    folder = layout.bundles / champion.bundle.removeprefix("sha256:")
    manifest = check_bundle(folder, read_trusted(layout.trust))
    text = (folder / "recipe.json").read_text(encoding="utf-8")
    theirs = backtest(
        _columns(lesson.dataset, tuple(manifest["signals"])),
        Recipe.from_dict(json.loads(text)),
        cutoffs=lesson.plan.judge,
        look_back_days=lesson.look_back_days,
    )
    return compare(judged, theirs, recipe.gate, seed=recipe.seed, approver=approver)


def _columns(dataset: Dataset, names: tuple[str, ...]) -> Dataset:
    """Return the columns that a model had, as far as the dataset has them still."""
    kept = [place for place, name in enumerate(dataset.names) if name in names]
    return replace(
        dataset, X=dataset.X[:, kept], names=tuple(dataset.names[place] for place in kept)
    )
