"""Train and judge on a table of events: the commands' numbers without a project.

A model made here lives in this process. To serve one, with a card, a gate and a registry, train it
in a project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from churnguard.clock import from_us
from churnguard.features.catalogue import Catalogue
from churnguard.features.population import Population, fit_population
from churnguard.jobs.lesson import Lesson, Meaning, lesson_of
from churnguard.jobs.ports import silent
from churnguard.jobs.tune import search
from churnguard.labels import ORDER_GAP
from churnguard.scoring.bundle import Facts
from churnguard.tables.events import Table, read_events
from churnguard.tables.history import Instant, read_history, read_instant
from churnguard.training import backtest as judging
from churnguard.training.backtest import Backtest
from churnguard.training.fit import fit
from churnguard.training.model import TrainedModel
from churnguard.training.recipe import Recipe
from churnguard.training.stability import score_shift
from churnguard.training.tuning import Tuning


@dataclass(frozen=True)
class Trained:
    """A model of a table of events, with what it takes to score by it.

    Attributes
    ----------
    model : TrainedModel
        Margins, risks, contributions and intervals of feature rows.
    catalogue : Catalogue
        The signals it was trained on, in the order of its columns.
    population : Population
        What was fitted over all customers.
    recipe : Recipe
        What was learned, tuned values included.
    backtest : Backtest
        How good the recipe was at past cutoffs, beside the baselines.
    facts : Facts
        What churn means, who is eligible, and what is usual among customers.
    timezone : str
        The shop's IANA time zone.
    left_out : mapping of str to str
        Families that the events cannot carry, with the reason.
    tuning : Tuning or None
        What the search found, where one was asked for.
    """

    model: TrainedModel
    catalogue: Catalogue
    population: Population
    recipe: Recipe
    backtest: Backtest
    facts: Facts
    timezone: str
    left_out: Mapping[str, str]
    tuning: Tuning | None = None


def train(
    events: Table,
    *,
    recipe: Recipe | None = None,
    catalogue: Catalogue | None = None,
    until: Instant | None = None,
    label: str = ORDER_GAP,
    horizon_days: int = 90,
    look_back_days: int = 365,
    timezone: str = "UTC",
    trials: int = 0,
    study: Path | None = None,
) -> Trained:
    """Train a model on a table of events, and judge its recipe at past cutoffs.

    Parameters
    ----------
    events : pandas.DataFrame or pyarrow.Table
        Canonical events of customers who may be profiled.
    recipe : Recipe, optional
        What to learn; the default recipe when not given.
    catalogue : Catalogue, optional
        The signals; every family when not given.
    until : datetime, date or str, optional
        Only what was known before it is used; everything when not given.
    label : str
        What churn is; see :func:`churnguard.labels.label_named`.
    horizon_days, look_back_days : int
        How far it looks ahead, and how far back for who is eligible.
    timezone : str
        The shop's IANA time zone.
    trials : int
        How many values of the recipe's numbers to try, on time that the backtest does not judge.
    study : Path, optional
        Where the search is kept, so that it can go on; it is not kept when not given.

    Raises
    ------
    NotEnoughHistory
        If the data are too thin; the message says what there is and what is needed.
    """
    read = recipe or Recipe()
    lesson = _lesson(
        events,
        read,
        catalogue=catalogue,
        until=until,
        meaning=Meaning(label, horizon_days, look_back_days),
        timezone=timezone,
    )
    with TemporaryDirectory() as folder:
        file = study or Path(folder) / "tuning.journal"
        tuning = search(lesson, read, trials, file=file, progress=silent)
    read = tuning.recipe if tuning else read
    judged = _judged(lesson, read)
    model = fit(lesson.dataset, read, until_us=lesson.history.data_end)
    shift = score_shift(model, lesson.dataset, judged)
    if shift is not None:
        shift.raise_if_odd()
    return Trained(
        model=model,
        catalogue=lesson.catalogue,
        population=lesson.population,
        recipe=read,
        backtest=judged,
        facts=lesson.facts(judged),
        timezone=timezone,
        left_out=lesson.left_out,
        tuning=tuning,
    )


def backtest(
    events: Table,
    *,
    recipe: Recipe | None = None,
    catalogue: Catalogue | None = None,
    until: Instant | None = None,
    label: str = ORDER_GAP,
    horizon_days: int = 90,
    look_back_days: int = 365,
    timezone: str = "UTC",
) -> Backtest:
    """Judge a recipe and the baselines at past cutoffs; no model is kept.

    Parameters
    ----------
    events : pandas.DataFrame or pyarrow.Table
        Canonical events of customers who may be profiled.
    recipe, catalogue, until, label, horizon_days, look_back_days, timezone
        As for :func:`train`.

    Raises
    ------
    NotEnoughHistory
        If the data are too thin for even one cutoff.
    """
    read = recipe or Recipe()
    lesson = _lesson(
        events,
        read,
        catalogue=catalogue,
        until=until,
        meaning=Meaning(label, horizon_days, look_back_days),
        timezone=timezone,
    )
    return _judged(lesson, read)


def _lesson(
    events: Table,
    recipe: Recipe,
    *,
    catalogue: Catalogue | None,
    until: Instant | None,
    meaning: Meaning,
    timezone: str,
) -> Lesson:
    """Lay the cutoffs and build the rows, as for a project."""
    table = read_events(events, timezone=timezone)
    history = read_history(table, timezone=timezone, until=until)
    return lesson_of(
        history,
        catalogue or Catalogue.of(),
        recipe,
        until=from_us(history.data_end) if until is None else read_instant(until, timezone),
        meaning=meaning,
        timezone=timezone,
        fit=lambda instants: fit_population(history.timelines, instants, timezone=timezone),
        progress=silent,
    )


def _judged(lesson: Lesson, recipe: Recipe) -> Backtest:
    return judging.backtest(
        lesson.dataset,
        recipe,
        cutoffs=lesson.plan.judge,
        look_back_days=lesson.look_back_days,
    )
