"""Train, judge and score on a table of events: the commands' numbers without a project.

A model made here lives in this process. To serve one, with a card, a gate and a registry, train it
in a project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from churnguard.clock import DAY_US, from_us, to_us
from churnguard.events.timeline import Timeline
from churnguard.features.build import build_features as build_rows
from churnguard.features.catalogue import Catalogue
from churnguard.features.coverage import carried_by
from churnguard.features.population import Population, fit_population
from churnguard.jobs.lesson import Lesson, newest_mature
from churnguard.jobs.ports import silent
from churnguard.jobs.snapshots import take_snapshots
from churnguard.jobs.tune import search
from churnguard.policy.rules import SignalTable
from churnguard.scoring.abstention import STATUS_OF, silences, too_little_history
from churnguard.scoring.context import ScoringContext
from churnguard.tables.events import Table, like, read_events
from churnguard.tables.history import Instant, read_history, read_instant
from churnguard.training import backtest as judging
from churnguard.training.backtest import Backtest
from churnguard.training.cutoffs import plan_cutoffs
from churnguard.training.dataset import Dataset
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
    horizon_days, look_back_days : int
        What churn means, and who is eligible.
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
    horizon_days: int
    look_back_days: int
    timezone: str
    left_out: Mapping[str, str]
    tuning: Tuning | None = None


def train(
    events: Table,
    *,
    recipe: Recipe | None = None,
    catalogue: Catalogue | None = None,
    until: Instant | None = None,
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
    horizon_days, look_back_days : int
        What churn means, and who is eligible.
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
        horizon_days=horizon_days,
        look_back_days=look_back_days,
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
        horizon_days=horizon_days,
        look_back_days=look_back_days,
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
    horizon_days: int = 90,
    look_back_days: int = 365,
    timezone: str = "UTC",
) -> Backtest:
    """Judge a recipe and the baselines at past cutoffs; no model is kept.

    Parameters
    ----------
    events : pandas.DataFrame or pyarrow.Table
        Canonical events of customers who may be profiled.
    recipe, catalogue, until, horizon_days, look_back_days, timezone
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
        horizon_days=horizon_days,
        look_back_days=look_back_days,
        timezone=timezone,
    )
    return _judged(lesson, read)


def score(events: Table, model: Trained, *, as_of: Instant | None = None) -> Table:
    """Score every customer of a table of events.

    Parameters
    ----------
    events : pandas.DataFrame or pyarrow.Table
        Canonical events, of the same shop as those that were trained on.
    model : Trained
        From :func:`train`.
    as_of : datetime, date or str, optional
        The cutoff; the end of the newest event's day when not given.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        ``customer_id``, ``as_of``, ``status`` and ``status_reason`` (as in docs/scores.md),
        ``churn_risk``, ``risk_low``, ``risk_high`` and ``margin`` (missing where there is no
        number), by customer. The kind that was given.
    """
    timezone = model.timezone
    history = read_history(read_events(events, timezone=timezone), timezone=timezone)
    cutoff = history.data_end if as_of is None else to_us(read_instant(as_of, timezone))
    (timeline,) = history.timelines
    ids, values = _everybody(timeline, model, cutoff)
    table = SignalTable.of(values, model.catalogue.names)
    whys = silences(ids, table, {}, look_back_days=model.look_back_days)
    margins = model.model.margins(values)
    bounds = model.model.intervals(margins)
    wide = too_little_history(margins, bounds, widest=ScoringContext.widest_interval)
    whys = [
        why or ("too_little_history" if out else None) for why, out in zip(whys, wide, strict=True)
    ]
    silent_rows = np.array([why is not None for why in whys], dtype=bool)

    def number(column: object) -> pa.Array:
        return pa.array(column, pa.float64(), mask=silent_rows)

    answer = {
        "customer_id": pa.array(ids, pa.string()),
        "as_of": pa.array([from_us(cutoff)] * len(ids), pa.timestamp("us", tz="UTC")),
        "status": pa.array(["scored" if why is None else STATUS_OF[why] for why in whys]),
        "status_reason": pa.array(whys, pa.string()),
        "churn_risk": number(model.model.risks(values)),
        "risk_low": number(bounds[:, 0]),
        "risk_high": number(bounds[:, 1]),
        "margin": number(margins),
    }
    return like(pa.table(answer), events)


def _everybody(timeline: Timeline, model: Trained, cutoff: int) -> tuple[list[str], np.ndarray]:
    customers = np.arange(len(timeline.customer_ids), dtype=np.int32)
    instants = np.full(len(customers), cutoff, dtype=np.int64)
    rows = build_rows(timeline, model.catalogue, customers, instants, population=model.population)
    return [str(customer) for customer in rows.customer_ids], rows.values


def _lesson(
    events: Table,
    recipe: Recipe,
    *,
    catalogue: Catalogue | None,
    until: Instant | None,
    horizon_days: int,
    look_back_days: int,
    timezone: str,
) -> Lesson:
    """Lay the cutoffs and build the rows, as for a project."""
    table = read_events(events, timezone=timezone)
    history = read_history(table, timezone=timezone, until=until)
    end = history.data_end if until is None else to_us(read_instant(until, timezone))
    carried, left_out = carried_by(catalogue or Catalogue.of(), history.timelines)
    plan = plan_cutoffs(
        recipe.cutoffs,
        newest_us=newest_mature(history.data_end, horizon_days, timezone),
        history_from_us=to_us(history.data_from),
        horizon_days=horizon_days,
    )
    span = range(plan.all[0], end + 1, DAY_US)
    population = fit_population(history.timelines, span, timezone=timezone)
    snapshots = take_snapshots(
        history,
        carried,
        plan.all,
        population=population,
        horizon_days=horizon_days,
        look_back_days=look_back_days,
        progress=silent,
    )
    dataset = Dataset(
        X=snapshots.rows.values,
        names=snapshots.rows.names,
        y=snapshots.churned.astype(np.int8),
        customer_ids=snapshots.rows.customer_ids.astype(str),
        cutoffs=snapshots.rows.cutoffs,
        horizon_days=horizon_days,
    ).take(snapshots.mature)
    return Lesson(
        history=history,
        catalogue=carried,
        left_out=left_out,
        plan=plan,
        population=population,
        dataset=dataset,
        until=from_us(end),
        look_back_days=look_back_days,
    )


def _judged(lesson: Lesson, recipe: Recipe) -> Backtest:
    return judging.backtest(
        lesson.dataset,
        recipe,
        cutoffs=lesson.plan.judge,
        look_back_days=lesson.look_back_days,
    )
