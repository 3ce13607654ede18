"""Backtest: judge a recipe and the baselines at past cutoffs, and write it down; nothing is kept.

A training does the same and logs the same report with its run; this asks without training.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from churnguard.clock import iso, not_in_future
from churnguard.errors import NotEnoughHistory
from churnguard.jobs.backtest_curves import Worth
from churnguard.jobs.backtest_page import Told, backtest_page
from churnguard.jobs.backtest_plots import backtest_plots
from churnguard.jobs.lesson import prepare_lesson
from churnguard.jobs.ports import Progress, Shop, silent
from churnguard.policy.playbook import read_playbook
from churnguard.project.layout import Layout
from churnguard.project.loader import load_catalogue, load_recipe
from churnguard.training import backtest as judging
from churnguard.training.backtest import MODEL, Backtest
from churnguard.training.comparison import Comparison, compare_models
from churnguard.training.recipe import Recipe


@dataclass(frozen=True)
class BacktestReport:
    """What a backtest found.

    Attributes
    ----------
    judged : Backtest
        The recipe beside the baselines.
    comparisons : tuple of Comparison
        Our model against each baseline.
    told : Told
        Names, and what customers are worth.
    out : Path or None
        The folder written.
    """

    judged: Backtest
    comparisons: tuple[Comparison, ...]
    told: Told
    out: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values: aggregates only, no customer."""
        return {
            "recipe": self.told.recipe,
            "until": iso(self.told.until),
            "horizon_days": self.told.worth.horizon_days,
            **self.judged.to_dict(),
            "comparisons": [one.to_dict() for one in self.comparisons],
            "out": str(self.out) if self.out else None,
        }

    def to_text(self) -> str:
        """Return the table for a person."""
        compared = [
            f"{MODEL} less {one.against:<17}{one.metric:<9}{one.mean:>+8.4f}"
            f"  ({one.low:+.4f} to {one.high:+.4f})  {one.verdict}"
            for one in self.comparisons
        ]
        written = [f"written to {self.out}"] if self.out else []
        return "\n".join([self.judged.to_text(), "", *compared, *written])

    @cached_property
    def plots(self) -> dict[str, str]:
        """Every plot as SVG, drawn once."""
        return backtest_plots(self.judged, self.told.worth) if self.judged.judged else {}

    def page(self) -> str:
        """Return the report as HTML."""
        return backtest_page(self.judged, self.comparisons, self.told, plots=self.plots)


def backtest_shop(
    shop: Shop,
    *,
    recipe: str = "default",
    until: datetime | None = None,
    out: Path | None = None,
    progress: Progress = silent,
) -> BacktestReport:
    """Judge a recipe at past cutoffs; no model is registered.

    Parameters
    ----------
    shop : Shop
        An opened project.
    recipe : str
        A recipe of the project's ``training/``.
    until : datetime, optional
        Only what was known before it is used; now when not given.
    out : Path, optional
        A folder for ``report.html``, ``backtest.json`` and the plots as SVG.
    progress : callable
        Told what is being done.

    Raises
    ------
    NotEnoughHistory
        If the data are too thin for even one cutoff.
    """
    layout = Layout(shop.root)
    read = load_recipe(layout, recipe)
    instant = not_in_future(until, shop.clock) if until else shop.clock()
    lesson = prepare_lesson(shop, load_catalogue(layout), read, until=instant, progress=progress)
    judged = judging.backtest(
        lesson.dataset,
        read,
        cutoffs=lesson.plan.judge,
        look_back_days=lesson.look_back_days,
        progress=lambda done, of: progress("judging the recipe on past cutoffs", done, of),
    )
    if not judged.judged:
        raise NotEnoughHistory(
            f"At none of {len(judged.left_out)} past cutoffs was enough known to fit a model: "
            "there is nothing to judge.",
            hint="'churnguard check' tells what there is and what is needed.",
        )
    progress("comparing with the baselines", 0, None)
    report = report_of(shop, judged, read, recipe_name=recipe, until=instant, out=out)
    if out is not None:
        progress("writing the report", 0, None)
        _write(report, out)
    return report


def report_of(
    shop: Shop,
    judged: Backtest,
    recipe: Recipe,
    *,
    recipe_name: str,
    until: datetime,
    out: Path | None = None,
) -> BacktestReport:
    """Compare a backtest's models and put names to it; a training's own backtest as well."""
    settings = shop.settings
    worth = Worth(
        settings.horizon_days,
        settings.margin,
        settings.currency,
        read_playbook(Layout(shop.root).playbook),
    )
    comparisons = compare_models(judged, resamples=recipe.gate.resamples, seed=recipe.seed)
    return BacktestReport(judged, comparisons, Told(settings.name, recipe_name, until, worth), out)


def _write(report: BacktestReport, out: Path) -> None:
    """Write every file under a temporary name first, so that none is ever half there."""
    out.mkdir(parents=True, exist_ok=True)
    texts = {
        "report.html": report.page(),
        "backtest.json": json.dumps(report.to_dict(), ensure_ascii=False, indent=1) + "\n",
        **{f"{name}.svg": svg + "\n" for name, svg in report.plots.items()},
    }
    for name, text in texts.items():
        unfinished = out / f".{name}.unfinished"
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(out / name)
