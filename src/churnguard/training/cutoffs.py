"""Which cutoffs to build rows for: one grid, back from the newest mature cutoff.

Rows at the grid's cutoffs are built once and used by every backtest and by the refit.
"""

from __future__ import annotations

from dataclasses import dataclass

from churnguard.clock import DAY_US, from_us, iso
from churnguard.errors import NotEnoughHistory
from churnguard.training.recipe import CutoffRecipe


@dataclass(frozen=True)
class CutoffPlan:
    """Cutoffs in microseconds UTC, oldest first.

    Attributes
    ----------
    learn : tuple of int
        To be learned from.
    judge : tuple of int
        At which the recipe is backtested.
    """

    learn: tuple[int, ...]
    judge: tuple[int, ...]

    @property
    def all(self) -> tuple[int, ...]:
        """Every cutoff to build rows for, oldest first."""
        return tuple(sorted({*self.learn, *self.judge}))


def plan_cutoffs(
    recipe: CutoffRecipe, *, newest_us: int, history_from_us: int, horizon_days: int
) -> CutoffPlan:
    """Lay the grid of cutoffs.

    Parameters
    ----------
    recipe : CutoffRecipe
        Steps and spans.
    newest_us : int
        The newest cutoff whose label is mature, microseconds UTC: a shop-local midnight.
    history_from_us : int
        The oldest event.
    horizon_days : int
        How far ahead labels look.

    Returns
    -------
    CutoffPlan
        A backtest cutoff is kept only if at least one cutoff to learn from is mature at it.

    Raises
    ------
    NotEnoughHistory
        If even the newest cutoff has too little history before it; says when it will do.

    Examples
    --------
    >>> plan = plan_cutoffs(CutoffRecipe(step_days=30, min_history_days=30, backtests=2),
    ...                     newest_us=180 * DAY_US, history_from_us=0, horizon_days=90)
    >>> [cutoff // DAY_US for cutoff in plan.learn], [c // DAY_US for c in plan.judge]
    ([30, 60, 90, 120, 150, 180], [150, 180])
    """
    known = newest_us - history_from_us
    if known < recipe.least_history_days * DAY_US:
        raise _too_short(recipe, history_from_us, horizon_days)
    wanted = min(recipe.min_history_days * DAY_US, known * 2 // 5)
    oldest = max(history_from_us + wanted, newest_us - recipe.span_days * DAY_US)
    learn = range(newest_us, oldest - 1, -recipe.step_days * DAY_US)
    judge = [newest_us - k * recipe.backtest_step_days * DAY_US for k in range(recipe.backtests)]
    first = min(learn) + horizon_days * DAY_US
    return CutoffPlan(
        learn=tuple(sorted(learn)), judge=tuple(sorted(cut for cut in judge if cut >= first))
    )


def _too_short(recipe: CutoffRecipe, history_from_us: int, horizon_days: int) -> NotEnoughHistory:
    needed = recipe.least_history_days + horizon_days
    return NotEnoughHistory(
        f"The history is too short: it begins {iso(from_us(history_from_us))}, and a first model "
        f"needs {needed} days: {recipe.least_history_days} to look back and {horizon_days} to see "
        "who came back.",
        hint=f"It will do from {iso(from_us(history_from_us + needed * DAY_US))}.",
    )
