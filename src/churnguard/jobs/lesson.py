"""The lesson: everything that one training learns from, prepared from a shop's history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from churnguard.clock import DAY_US, from_us, local_day, midnight, to_us
from churnguard.errors import NotEnoughHistory
from churnguard.features.catalogue import Catalogue
from churnguard.features.coverage import carried_by
from churnguard.features.population import Population
from churnguard.jobs.population import shop_population
from churnguard.jobs.ports import Progress, Shop
from churnguard.jobs.snapshots import History, Snapshots, read_history, take_snapshots
from churnguard.labels import ORDER_GAP, Label, label_named
from churnguard.policy.rules import SignalTable
from churnguard.policy.segments import segments
from churnguard.policy.value import mean_spend
from churnguard.scoring.bundle import Facts
from churnguard.scoring.peers import medians, medians_by_group
from churnguard.training.backtest import Backtest
from churnguard.training.cutoffs import CutoffPlan, plan_cutoffs
from churnguard.training.dataset import Dataset
from churnguard.training.recipe import Recipe
from churnguard.training.treatment import TreatmentReport, untreated


@dataclass(frozen=True)
class Meaning:
    """What churn is.

    Attributes
    ----------
    label : str
        See :func:`churnguard.labels.label_named`.
    horizon_days, look_back_days : int
        How far it looks ahead, and how far back for who is eligible.
    """

    label: str = ORDER_GAP
    horizon_days: int = 90
    look_back_days: int = 365


@dataclass(frozen=True)
class Lesson:
    """What a training learns from.

    Attributes
    ----------
    history : History
        The events known before ``until``.
    catalogue : Catalogue
        The signals that they can carry.
    left_out : dict of str to str
        Families that they cannot carry, with the reason.
    plan : CutoffPlan
        Cutoffs to learn from and to judge at.
    population : Population
        Every fit of the grid from the oldest of them to ``until``.
    dataset : Dataset
        Rows and mature labels.
    until : datetime
        Nothing known later was used.
    meaning : Meaning
        What churn is.
    treatment : TreatmentReport or None
        What was done about customers who were contacted; None where nobody was.
    """

    history: History
    catalogue: Catalogue
    left_out: dict[str, str]
    plan: CutoffPlan
    population: Population
    dataset: Dataset
    until: datetime
    meaning: Meaning
    treatment: TreatmentReport | None = None

    @property
    def look_back_days(self) -> int:
        """Who is eligible."""
        return self.meaning.look_back_days

    @property
    def customers(self) -> int:
        """How many different customers have a row."""
        return len(self.dataset.people)

    def without_events(self) -> Lesson:
        """Return the lesson with its rows only: a large shop's events are not held any longer."""
        return replace(self, history=replace(self.history, timelines=[]))

    def facts(self, judged: Backtest) -> Facts:
        """Return what a score needs to know of the training besides the model."""
        newest = self.dataset.take(self.dataset.cutoffs == self.plan.learn[-1])
        spend = newest.column("net_spend_365d")
        usual_spend = mean_spend(spend) if spend is not None else 0.0
        groups = segments(
            SignalTable.of(newest.X, newest.names),
            shop_mean_spend=usual_spend,
            look_back_days=self.look_back_days,
        )
        return Facts(
            horizon_days=self.dataset.horizon_days,
            look_back_days=self.look_back_days,
            trained_until=self.until,
            labels_through=from_us(self.plan.learn[-1] + self.dataset.horizon_us),
            mean_spend=usual_spend,
            peers=medians(newest.X, newest.names),
            metrics=dict(judged.mean()),
            segment_peers=medians_by_group(newest.X, newest.names, groups),
            label=self.meaning.label,
        )


def prepare_lesson(
    shop: Shop, catalogue: Catalogue, recipe: Recipe, *, until: datetime, progress: Progress
) -> Lesson:
    """Read a shop's history, lay the cutoffs, and build the rows.

    Parameters
    ----------
    shop : Shop
        An opened project.
    catalogue : Catalogue
        The project's signals.
    recipe : Recipe
        Says which cutoffs.
    until : datetime
        Only what was known before it is used.
    progress : callable
        Told what is being done.

    Raises
    ------
    NotEnoughHistory
        If there is too little history for even one cutoff.
    """
    settings = shop.settings
    history = read_history(shop, known_before=until, progress=progress)
    lesson = lesson_of(
        history,
        catalogue,
        recipe,
        until=until,
        meaning=Meaning(settings.label, settings.horizon_days, settings.look_back_days),
        timezone=settings.timezone,
        fit=lambda instants: shop_population(shop, history.timelines, instants),
        progress=progress,
    )
    dataset, treatment = untreated(
        lesson.dataset, shop.scores.decisions(until), recipe.treatment, seed=recipe.seed
    )
    return replace(lesson, dataset=dataset, treatment=treatment)


def lesson_of(
    history: History,
    catalogue: Catalogue,
    recipe: Recipe,
    *,
    until: datetime,
    meaning: Meaning,
    timezone: str,
    fit: Callable[[Iterable[int]], Population],
    progress: Progress,
) -> Lesson:
    """Lay the cutoffs on a history, wherever it was read, and build the rows.

    Parameters
    ----------
    history : History
        What was known before ``until``.
    catalogue : Catalogue
        The signals asked for.
    recipe : Recipe
        Says which cutoffs.
    until : datetime
        Up to which the population is fitted.
    meaning : Meaning
        What churn is.
    timezone : str
        The shop's IANA time zone.
    fit : callable
        Fits the population for rows at some instants, microseconds UTC.
    progress : callable
        Told what is being done.

    Raises
    ------
    NotEnoughHistory
        If there is too little history for even one cutoff.
    """
    refuse_unseen(label_named(meaning.label), history.event_counts)
    carried, left_out = carried_by(catalogue, history.timelines)
    plan = plan_cutoffs(
        recipe.cutoffs,
        newest_us=newest_mature(history.data_end, meaning.horizon_days, timezone),
        history_from_us=to_us(history.data_from),
        horizon_days=meaning.horizon_days,
    )
    progress("fitting the population", 0, None)
    population = fit(range(plan.all[0], to_us(until) + 1, DAY_US))
    snapshots = take_snapshots(
        history,
        carried,
        plan.all,
        population=population,
        horizon_days=meaning.horizon_days,
        look_back_days=meaning.look_back_days,
        progress=progress,
        label=meaning.label,
    )
    return Lesson(
        history=history,
        catalogue=carried,
        left_out=left_out,
        plan=plan,
        population=population,
        dataset=_mature(snapshots, meaning.horizon_days),
        until=until,
        meaning=meaning,
    )


def _mature(snapshots: Snapshots, horizon_days: int) -> Dataset:
    """Return the rows whose outcome is known."""
    return Dataset(
        X=snapshots.rows.values,
        names=snapshots.rows.names,
        y=snapshots.churned.astype(np.int8),
        customer_ids=snapshots.rows.customer_ids.astype(str),
        cutoffs=snapshots.rows.cutoffs,
        horizon_days=horizon_days,
    ).take(snapshots.mature)


def refuse_unseen(label: Label, event_counts: Mapping[str, int]) -> None:
    """Refuse a label that looks at events of which a history has none.

    Raises
    ------
    NotEnoughHistory
        If none of them occurs.
    """
    if not label.seen_in(event_counts):
        known, wanted = ", ".join(sorted(event_counts)), " or ".join(label.needs)
        raise NotEnoughHistory(
            f"The history has no {wanted} events, only {known}: by the label '{label.name}' nobody "
            "can be seen to churn.",
            hint="See whether they were set aside ('churnguard quarantine list'), or choose "
            "another label in churnguard.toml.",
        )


def newest_mature(data_end_us: int, horizon_days: int, timezone: str) -> int:
    """Return the newest shop-local midnight whose horizon is within the data, microseconds UTC.

    Examples
    --------
    >>> end = to_us(datetime.fromisoformat("2011-12-10T00:00:00+00:00"))
    >>> from_us(newest_mature(end, 90, "UTC")).isoformat()
    '2011-09-11T00:00:00+00:00'
    """
    latest = from_us(data_end_us - horizon_days * DAY_US)
    return to_us(midnight(local_day(latest, timezone), timezone))
