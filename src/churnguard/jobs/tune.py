"""Tune: search a recipe's numbers on time that the backtest will not judge."""

from __future__ import annotations

from pathlib import Path

from churnguard.jobs.lesson import Lesson
from churnguard.jobs.ports import Progress
from churnguard.training.recipe import Recipe
from churnguard.training.tuning import Tuning, tune


def search(
    lesson: Lesson, recipe: Recipe, trials: int, *, file: Path, progress: Progress
) -> Tuning | None:
    """Search a recipe's numbers before the first cutoff that is reported; None without trials.

    Parameters
    ----------
    lesson : Lesson
        The rows and their cutoffs.
    recipe : Recipe
        Where to start.
    trials : int
        How many trials there should be, earlier ones of the same study included.
    file : Path
        Where studies are kept.
    progress : callable
        Told how many trials are done.
    """
    if not trials:
        return None
    return tune(
        lesson.dataset,
        recipe,
        trials=trials,
        before_us=min(lesson.plan.judge, default=lesson.history.data_end),
        file=file,
        progress=lambda done, of: progress("tuning the recipe", done, of),
    )
