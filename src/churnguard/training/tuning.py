"""Tuning: the few numbers of a recipe that matter, searched over folds in time order by Optuna.

Only rows are looked at whose labels were known before the oldest cutoff that the backtest judges:
what is reported was never tuned on. A study is kept in a file; asked again, it goes on where it
stopped, and draws what it would have drawn in one go.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import from_us, iso
from churnguard.errors import NotEnoughHistory, RecipeError, TrainingError
from churnguard.training.choice import AUTO
from churnguard.training.dataset import Dataset, Mask
from churnguard.training.folds import Fold, customer_fold
from churnguard.training.metrics import log_loss
from churnguard.training.recipe import Recipe
from churnguard.training.scorers import fit_scorer

Floats = NDArray[np.float64]
Values = Mapping[str, Any]

TIMES = 4
CUSTOMER_FOLDS = 2

_RICHEST = "boosted"
_VERSION = 1
_STARTUP_TRIALS = 8


@dataclass(frozen=True)
class Range:
    """What one number may be; searched on a log scale."""

    low: float
    high: float
    whole: bool = False

    def nearest(self, value: float) -> float:
        """Return the value, or the border that it is beyond."""
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class Space:
    """What is searched for one kind of learner.

    Attributes
    ----------
    ranges : mapping of str to Range
        By name.
    own : callable
        Returns the values that a recipe has.
    changed : callable
        Returns the recipe with other values.
    """

    ranges: Mapping[str, Range]
    own: Callable[[Recipe], Values]
    changed: Callable[[Recipe, Values], Recipe]


def _boosted(recipe: Recipe) -> Values:
    trees = recipe.boosted
    return {
        "leaves": trees.leaves,
        "min_rows": trees.min_rows,
        "learning_rate": trees.learning_rate,
        "way": trees.trees * trees.learning_rate,
        "feature_share": trees.feature_share,
        "l2": trees.l2,
    }


def _with_boosted(recipe: Recipe, values: Values) -> Recipe:
    rest = {name: value for name, value in values.items() if name != "way"}
    trees = max(1, round(values["way"] / values["learning_rate"]))
    return replace(recipe, boosted=replace(recipe.boosted, trees=trees, **rest))


def _linear(recipe: Recipe) -> Values:
    return {"strength": recipe.linear.strength}


def _with_linear(recipe: Recipe, values: Values) -> Recipe:
    return replace(recipe, linear=replace(recipe.linear, **values))


SPACES: Mapping[str, Space] = {
    "boosted": Space(
        ranges={
            "leaves": Range(2, 16, whole=True),
            "min_rows": Range(20, 400, whole=True),
            "learning_rate": Range(0.02, 0.15),
            "way": Range(3.0, 30.0),  # learning rate x trees: how far all trees may go together
            "feature_share": Range(0.1, 0.8),
            "l2": Range(1.0, 200.0),
        },
        own=_boosted,
        changed=_with_boosted,
    ),
    "linear": Space({"strength": Range(1e-4, 10.0)}, own=_linear, changed=_with_linear),
}
"""What is searched, by kind of learner; the other kinds have nothing to tune."""


@dataclass(frozen=True)
class Trial:
    """One try.

    Attributes
    ----------
    number : int
        From 0; the first one is the recipe as it was given.
    values : mapping of str to float
        What was tried.
    log_loss : float or None
        Mean over the judged cutoffs; None where it was stopped early.
    """

    number: int
    values: Values
    log_loss: float | None


@dataclass(frozen=True)
class Tuning:
    """What a search found.

    Attributes
    ----------
    recipe : Recipe
        The best there was; the one given where nothing was better.
    trials : tuple of Trial
        All of them, earlier runs of the same study included.
    best : Trial
        Whose values the recipe has.
    cutoffs : tuple of int
        Cutoffs judged, microseconds UTC; none of them is one that the backtest judges.
    """

    recipe: Recipe
    trials: tuple[Trial, ...]
    best: Trial
    cutoffs: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "cutoffs": [iso(from_us(cutoff)) for cutoff in self.cutoffs],
            "best": asdict(self.best),
            "trials": [asdict(trial) for trial in self.trials],
        }

    def to_text(self) -> str:
        """Return one or two lines for a person."""
        own, best = self.trials[0], self.best
        stopped = sum(trial.log_loss is None for trial in self.trials)
        told = f"{len(self.trials)} trials, {stopped} of them stopped early: log loss "
        if best.number == own.number:
            return f"{told}{own.log_loss:.4f} by the recipe as it is, and none was better"
        values = ", ".join(f"{name} {value:.3g}" for name, value in best.values.items())
        return f"{told}{own.log_loss:.4f} by the recipe, {best.log_loss:.4f} by {values}"


def tune(
    dataset: Dataset,
    recipe: Recipe,
    *,
    trials: int,
    before_us: int,
    file: Path,
    threads: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Tuning:
    """Search a recipe's numbers.

    Parameters
    ----------
    dataset : Dataset
        Rows with labels.
    recipe : Recipe
        Where the search starts: it is the first trial, and stays where none is better.
    trials : int
        How many there should be in the end, at least 1; those of the same study (same rows, same
        recipe) that are in the file already are counted.
    before_us : int
        Only rows with ``cutoff + horizon <= before_us`` are used, microseconds UTC: the oldest
        cutoff that the backtest will judge.
    file : Path
        Where studies are kept, as Optuna's journal; one file holds many.
    threads : int
        Folds fitted at the same time; the result does not depend on it.
    progress : callable, optional
        Told how many trials there are, and of how many.

    Returns
    -------
    Tuning

    Raises
    ------
    RecipeError
        If the recipe's kind of learner has nothing to tune.
    NotEnoughHistory
        If no cutoff that may be judged has both outcomes before it and at it.
    TrainingError
        If Optuna is not installed.
    """
    if recipe.kind == AUTO:  # the richest learner has most to tune; weights follow by evidence
        told = replace(recipe, kind=_RICHEST)
        found = tune(
            dataset,
            told,
            trials=trials,
            before_us=before_us,
            file=file,
            threads=threads,
            progress=progress,
        )
        return replace(found, recipe=replace(found.recipe, kind=AUTO))
    if recipe.kind not in SPACES:
        raise RecipeError(
            f"There is nothing to tune in a recipe of the kind '{recipe.kind}'.",
            hint=f"Leave --trials out, or choose another kind: {', '.join(SPACES)}.",
        )
    steps = time_folds(dataset, before_us=before_us, seed=recipe.seed)
    if not steps:
        raise NotEnoughHistory(
            "There is too little history to tune: no cutoff whose outcome was known by "
            f"{iso(from_us(before_us))} has enough before it to learn from.",
            hint="Train without --trials; the recipe's own values are good ones.",
        )
    study = _open_study(file, _study_name(dataset, recipe, before_us))
    search = _Search(dataset, recipe, SPACES[recipe.kind], steps, threads)
    _run(study, search, trials, progress or (lambda _done, _of: None))
    return _result(study, search)


@dataclass(frozen=True)
class Step:
    """One cutoff to judge: each part of the customers by a model of the others."""

    cutoff_us: int
    folds: tuple[Fold, ...]


def time_folds(dataset: Dataset, *, before_us: int, seed: int) -> list[Step]:
    """Return up to ``TIMES`` cutoffs spread over the time before an instant, oldest first.

    Parameters
    ----------
    dataset : Dataset
        Rows of several cutoffs.
    before_us : int
        Only cutoffs whose horizon had passed by then, microseconds UTC.
    seed : int
        Salt of the customers' hash.

    Returns
    -------
    list of Step
        In each fold, what is learned from was mature at the judged cutoff, and no customer is on
        both sides.
    """
    part = customer_fold(dataset.customer_ids, CUSTOMER_FOLDS, seed=seed)
    known = np.unique(dataset.cutoffs[dataset.mature(until_us=before_us)])
    found = [step for cutoff in known if (step := _step(dataset, int(cutoff), part)) is not None]
    chosen = np.unique(np.linspace(0, len(found) - 1, TIMES).round().astype(int))
    return [found[place] for place in chosen] if found else []


def _step(dataset: Dataset, cutoff: int, part: NDArray[np.int64]) -> Step | None:
    past, now = dataset.mature(until_us=cutoff), dataset.cutoffs == cutoff
    folds = tuple(
        Fold(learn=past & (part != number), judge=now & (part == number))
        for number in range(CUSTOMER_FOLDS)
    )
    usable = all(_both(dataset, side) for fold in folds for side in (fold.learn, fold.judge))
    return Step(cutoff, folds) if usable else None


def _both(dataset: Dataset, rows: Mask) -> bool:
    return len(np.unique(dataset.y[rows])) == 2


@dataclass(frozen=True)
class _Search:
    """What every trial is tried on."""

    dataset: Dataset
    recipe: Recipe
    space: Space
    steps: Sequence[Step]
    threads: int

    def losses(self, recipe: Recipe) -> Iterator[float]:
        """Yield the log loss at each cutoff, newest first: that is where trials differ most."""
        with ThreadPoolExecutor(self.threads) as pool:
            for step in reversed(self.steps):
                parts = list(pool.map(lambda fold: self._margins(recipe, fold), step.folds))
                y = np.concatenate([self.dataset.y[fold.judge] for fold in step.folds])
                yield _loss(np.concatenate(parts), y)

    def _margins(self, recipe: Recipe, fold: Fold) -> Floats:
        scorer = fit_scorer(self.dataset.take(fold.learn), recipe, seeds=1, threads=1)
        return scorer.margins(self.dataset.X[fold.judge])


def _loss(margins: Floats, y: NDArray[np.int8]) -> float:
    """Return the log loss after a slope and a level, which calibration sets for every recipe."""
    from sklearn.linear_model import LogisticRegression

    column = margins[:, None]
    return log_loss(y, LogisticRegression(C=1e3).fit(column, y).predict_proba(column)[:, 1])


class _Ask(Protocol):
    """The part of Optuna's trial that is used."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int: ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float: ...


def _values(trial: _Ask, ranges: Mapping[str, Range]) -> Values:
    return {
        name: trial.suggest_int(name, int(one.low), int(one.high), log=True)
        if one.whole
        else trial.suggest_float(name, one.low, one.high, log=True)
        for name, one in ranges.items()
    }


def _open_study(file: Path, name: str) -> Any:
    try:
        import optuna
    except ImportError as error:
        raise TrainingError(
            "Tuning needs Optuna, which is not installed.",
            hint="pip install optuna, or train without --trials.",
        ) from error
    logging.getLogger("optuna").setLevel(logging.WARNING)
    file.parent.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        storage=optuna.storages.JournalStorage(
            optuna.storages.journal.JournalFileBackend(str(file))
        ),
        study_name=name,
        load_if_exists=True,
        direction="minimize",
        pruner=optuna.pruners.MedianPruner(_STARTUP_TRIALS, n_warmup_steps=0),
    )


def _run(study: Any, search: _Search, wanted: int, progress: Callable[[int, int], None]) -> None:
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    while (done := len(_finished(study))) < wanted:
        progress(done, wanted)
        # Seeded for each trial: a study that was interrupted draws what it would have drawn.
        study.sampler = TPESampler(seed=search.recipe.seed + done, n_startup_trials=_STARTUP_TRIALS)
        if not done:
            own = search.space.own(search.recipe)
            ranges = search.space.ranges
            study.enqueue_trial({name: ranges[name].nearest(own[name]) for name in ranges})
        trial = study.ask()
        values = _values(trial, search.space.ranges)
        recipe = search.space.changed(search.recipe, values) if done else search.recipe
        losses: list[float] = []
        for step, loss in enumerate(search.losses(recipe)):
            losses.append(loss)
            trial.report(float(np.mean(losses)), step)
            if trial.should_prune() and step + 1 < len(search.steps):
                study.tell(trial, state=TrialState.PRUNED)
                break
        else:
            study.tell(trial, float(np.mean(losses)))
    progress(wanted, wanted)


def _finished(study: Any) -> list[Any]:
    """Return trials that came to an end, oldest first; one that was cut off is none."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]


def _result(study: Any, search: _Search) -> Tuning:
    finished = _finished(study)
    own = search.space.own(search.recipe)
    trials = tuple(
        Trial(
            number=number,
            values=dict(found.params) if number else dict(own),
            log_loss=found.value if found.state.name == "COMPLETE" else None,
        )
        for number, found in enumerate(finished)
    )
    best = min(
        (trial for trial in trials if trial.log_loss is not None),
        key=lambda trial: (trial.log_loss, trial.number),
    )
    recipe = search.space.changed(search.recipe, best.values) if best.number else search.recipe
    return Tuning(recipe, trials, best, tuple(step.cutoff_us for step in search.steps))


def _study_name(dataset: Dataset, recipe: Recipe, before_us: int) -> str:
    """Return a name that changes with the rows, the recipe and the search itself."""
    told = [_VERSION, before_us, dataset.horizon_days, dataset.names, recipe.to_dict()]
    digest = hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=8)
    for part in (dataset.X, dataset.y, dataset.cutoffs):
        digest.update(np.ascontiguousarray(part).data)
    digest.update("\n".join(dataset.customer_ids.tolist()).encode())
    return digest.hexdigest()
