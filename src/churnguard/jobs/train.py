"""Train: judge the recipe on later time, refit on everything mature, log, register, promote."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

from churnguard.clock import from_us, iso, not_in_future
from churnguard.jobs.backtest import report_of
from churnguard.jobs.challenge import challenge
from churnguard.jobs.lesson import Lesson, prepare_lesson
from churnguard.jobs.ports import Progress, Shop, silent
from churnguard.jobs.promote import promote as promote_version
from churnguard.jobs.tune import search
from churnguard.jobs.write_card import write_card
from churnguard.labels import label_named
from churnguard.policy.playbook import read_playbook, refuse_unknown_signals
from churnguard.project.layout import Layout
from churnguard.project.loader import load_catalogue, load_recipe
from churnguard.project.secrets import signing_key
from churnguard.scoring.abstention import refuse_untold
from churnguard.scoring.bundle import Facts, bundle_digest, write_bundle
from churnguard.scoring.golden import golden_cutoffs, golden_events
from churnguard.training.backtest import MODEL, Backtest, backtest
from churnguard.training.choice import Choice
from churnguard.training.fit import fit
from churnguard.training.model import TrainedModel
from churnguard.training.recipe import Recipe
from churnguard.training.stability import score_shift
from churnguard.training.treatment import TreatmentReport
from churnguard.training.tuning import Tuning


@dataclass(frozen=True)
class TrainingReport:
    """What a training did and how good the recipe is.

    Attributes
    ----------
    version, run_id, bundle : str
        Names in the registry, in MLflow, and the bundle's digest.
    promoted : bool
        The version is champion now.
    backtest : Backtest
        The recipe beside the baselines, on past cutoffs.
    rows, customers, signals, cutoffs : int
        What was learned from.
    trained_until, labels_through : datetime
        The newest that was known, and where the newest label window ended.
    left_out : mapping of str to str
        Families that the shop's events cannot carry, with the reason.
    treatment : TreatmentReport or None
        What was done about customers who were contacted; None where nobody was.
    tuning : Tuning or None
        What the search found, where one was asked for.
    choice : Choice or None
        Which learners have a say and why, where the recipe leaves it to the evidence.
    """

    version: str
    run_id: str
    bundle: str
    promoted: bool
    backtest: Backtest
    rows: int
    customers: int
    signals: int
    cutoffs: int
    trained_until: datetime
    labels_through: datetime
    left_out: Mapping[str, str]
    treatment: TreatmentReport | None = None
    tuning: Tuning | None = None
    choice: Choice | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            **self.__dict__,
            "backtest": self.backtest.to_dict(),
            "trained_until": iso(self.trained_until),
            "labels_through": iso(self.labels_through),
            "left_out": dict(self.left_out),
            "treatment": self.treatment.to_dict() if self.treatment else None,
            "tuning": self.tuning.to_dict() if self.tuning else None,
            "choice": self.choice.to_dict() if self.choice else None,
        }

    def to_text(self) -> str:
        """Return a page for a person."""
        lines = [
            self.backtest.to_text(),
            "",
            f"{self.rows} rows of {self.customers} customers at {self.cutoffs} cutoffs, "
            f"{self.signals} signals; labels through {iso(self.labels_through)}",
            *(f"left out: {why}" for why in self.left_out.values()),
            *([self.treatment.to_text()] if self.treatment else []),
            *([f"tuned: {self.tuning.to_text()}"] if self.tuning else []),
            *([self.choice.to_text()] if self.choice else []),
            f"registered as version {self.version}"
            + (", champion now" if self.promoted else f"; {_HOW_TO_PROMOTE.format(self.version)}"),
        ]
        return "\n".join(lines)


_DIGESTED_ROWS = 65_536
_HOW_TO_PROMOTE = "'churnguard models promote {} --approved-by NAME' makes it champion"


def train(
    shop: Shop,
    *,
    recipe: str = "default",
    until: datetime | None = None,
    trials: int = 0,
    promote: bool = False,
    approved_by: str | None = None,
    progress: Progress = silent,
) -> TrainingReport:
    """Train a model with what was known before an instant.

    Parameters
    ----------
    shop : Shop
        An opened project.
    recipe : str
        A recipe of the project's ``training/``.
    until : datetime, optional
        Only what was known before it is used; now when not given.
    trials : int
        How many values of the recipe's numbers to try, on folds in time order that end before the
        backtest begins. 0 leaves the recipe as it is. A search that was interrupted goes on.
    promote : bool
        Make it champion if the gate lets it through; the first model always is.
    approved_by : str, optional
        Who answers for a promotion; needed where fewer cutoffs than the gate wants were judged.
    progress : callable
        Told what is being done.

    Raises
    ------
    PlaybookError
        If a rule of the playbook looks at a signal that the catalogue does not have.
    CatalogueError
        If no signal of the catalogue tells whom to score by the project's label.
    NotEnoughHistory
        If the data are too thin; the message says what there is and what is needed.
    TrainingError
        If the refit scores otherwise than the model that was judged.
    PromotionRefused
        If ``promote`` was asked and the gate refused; the version stays registered.
    """
    layout = Layout(shop.root)
    read, key = load_recipe(layout, recipe), signing_key(layout, shop.environ)
    catalogue = load_catalogue(layout)
    playbook = read_playbook(layout.playbook)
    refuse_unknown_signals(playbook, catalogue.names, file=layout.playbook)
    refuse_untold(label_named(shop.settings.label), catalogue.names)
    until = not_in_future(until, shop.clock) if until else shop.clock()
    lesson = prepare_lesson(shop, catalogue, read, until=until, progress=progress).without_events()
    tuning = search(lesson, read, trials, file=layout.tuning, progress=progress)
    read = tuning.recipe if tuning else read
    judged = backtest(
        lesson.dataset,
        read,
        cutoffs=lesson.plan.judge,
        look_back_days=lesson.look_back_days,
        progress=lambda done, of: progress("judging the recipe on past cutoffs", done, of),
    )
    progress("fitting on everything mature", 0, None)
    model = _refitted(lesson, read, judged)
    progress("logging to MLflow", 0, None)
    taught = _Taught(recipe, read, lesson, model, judged, tuning)
    version, run_id, digest = _register(shop, taught, key)
    progress("asking the gate", 0, None)
    facts = taught.facts
    return TrainingReport(
        version=version,
        run_id=run_id,
        bundle=digest,
        promoted=_promote(shop, version, taught, asked=promote, approver=approved_by),
        backtest=judged,
        rows=len(lesson.dataset),
        customers=lesson.customers,
        signals=len(lesson.catalogue),
        cutoffs=len(lesson.plan.learn),
        trained_until=facts.trained_until,
        labels_through=facts.labels_through,
        left_out=lesson.left_out,
        treatment=lesson.treatment,
        tuning=tuning,
        choice=model.choice,
    )


def _refitted(lesson: Lesson, recipe: Recipe, judged: Backtest) -> TrainedModel:
    """Return the model of everything mature; stop if it scores otherwise than what was judged."""
    model = fit(lesson.dataset, recipe, until_us=lesson.history.data_end)
    shift = score_shift(model, lesson.dataset, judged)
    if shift is not None:
        shift.raise_if_odd()
    return model


@dataclass(frozen=True)
class _Taught:
    """A finished training that is not registered yet."""

    recipe_name: str
    recipe: Recipe
    lesson: Lesson
    model: TrainedModel
    judged: Backtest
    tuning: Tuning | None

    @cached_property
    def facts(self) -> Facts:
        return self.lesson.facts(self.judged)

    def card(self, shop: Shop) -> str:
        lesson = self.lesson
        return write_card(
            shop=shop.settings.name,
            facts=self.facts,
            backtest=self.judged.to_text(),
            recipe=self.recipe_name + (f", tuned: {self.tuning.to_text()}" if self.tuning else ""),
            signals=lesson.catalogue.names,
            rows=len(lesson.dataset),
            customers=lesson.customers,
            cutoffs=[f"{from_us(cutoff):%Y-%m-%d}" for cutoff in lesson.plan.learn],
            assumed_share=lesson.history.assumed_share,
            left_out=lesson.left_out,
            choice=self.model.choice.to_text() if self.model.choice else None,
        )


def _register(shop: Shop, taught: _Taught, key: str) -> tuple[str, str, str]:
    """Log the run and its bundle; return version, run id and the bundle's digest."""
    lesson, golden_end = taught.lesson, taught.lesson.until
    with tempfile.TemporaryDirectory() as folder:
        bundle, card = Path(folder) / "bundle", Path(folder) / "card.md"
        card.write_text(taught.card(shop), encoding="utf-8")
        table = Path(folder) / "backtest.json"
        told = report_of(
            shop,
            taught.judged,
            taught.recipe,
            recipe_name=taught.recipe_name,
            until=taught.facts.trained_until,
        )
        table.write_text(json.dumps(told.to_dict(), indent=1), encoding="utf-8")
        page = Path(folder) / "report.html"
        page.write_text(told.page(), encoding="utf-8")
        files = {"card": card, "backtest": table, "report": page}
        if taught.tuning:
            files["tuning"] = Path(folder) / "tuning.json"
            found = json.dumps(taught.tuning.to_dict(), indent=1)
            files["tuning"].write_text(found, encoding="utf-8")

        def make_bundle(run_id: str) -> Path:
            write_bundle(
                bundle,
                model=taught.model,
                catalogue=lesson.catalogue,
                population=lesson.population,
                facts=taught.facts,
                recipe=taught.recipe.to_dict(),
                card=card.read_text(encoding="utf-8"),
                golden_events=golden_events(golden_end),
                golden_cutoffs=golden_cutoffs(golden_end),
                run_id=run_id,
                signing_key=key,
            )
            return bundle

        run_id, version = shop.registry().log_training(
            params=_flat(taught.recipe.to_dict()),
            metrics=_metrics(taught.judged),
            tags=_tags(shop, taught),
            files=files,
            make_bundle=make_bundle,
            feature_names=lesson.catalogue.names,
        )
        return version, run_id, bundle_digest(bundle)


def _tags(shop: Shop, taught: _Taught) -> dict[str, str]:
    """Return what identifies the data, by digests and counts, never by rows."""
    dataset, digest = taught.lesson.dataset, hashlib.sha256()
    for start in range(0, len(dataset), _DIGESTED_ROWS):
        digest.update(dataset.X[start : start + _DIGESTED_ROWS].tobytes())
    digest.update(dataset.y.tobytes())
    return {
        "churnguard.shop": shop.settings.name,
        "churnguard.recipe": taught.recipe_name,
        "churnguard.learner": _learner(taught),
        "churnguard.trials": str(len(taught.tuning.trials) if taught.tuning else 0),
        "churnguard.trained_until": iso(taught.facts.trained_until),
        "churnguard.labels_through": iso(taught.facts.labels_through),
        "churnguard.dataset_sha256": digest.hexdigest(),
        "churnguard.rows": str(len(dataset)),
        "churnguard.customers": str(taught.lesson.customers),
        "churnguard.label": taught.facts.label,
        "churnguard.horizon_days": str(dataset.horizon_days),
    }


def _learner(taught: _Taught) -> str:
    """Return the learner's kind, or the weights of those that have a say."""
    if taught.model.choice is None:
        return taught.recipe.kind
    weights = taught.model.choice.weights
    return ", ".join(f"{kind} {weight:.2f}" for kind, weight in weights.items())


def _metrics(judged: Backtest) -> dict[str, float]:
    """Return MLflow's metrics: the means by name, then each cutoff and baseline in its group."""
    metrics = dict(judged.mean())
    for model in judged.models:
        metrics |= {f"{model}/{name}": value for name, value in judged.mean(model).items()}
    for row in judged.per_cutoff():
        if row["model"] == MODEL:
            day = row["cutoff"][:10]
            metrics |= {f"{day}/{name}": row[name] for name in judged.mean()}
    return {_metric_name(name): value for name, value in metrics.items() if isfinite(value)}


def _metric_name(name: str) -> str:
    """Return a name of the characters that MLflow admits."""
    return re.sub(r"[^\w\-. /]", "_", name)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _promote(
    shop: Shop, version: str, taught: _Taught, *, asked: bool, approver: str | None
) -> bool:
    """Promote the first model; a later one only when asked, and through the gate."""
    champion = shop.ledger.champion()
    reason = "the first model"
    if champion is not None:
        if not asked:
            return False
        verdict = challenge(
            shop, champion, taught.lesson, taught.recipe, taught.judged, approver=approver
        )
        verdict.raise_if_refused()
        reason = "passed the weaker gate" if verdict.weaker else "passed the gate"
    promote_version(shop, version, approved_by=approver or "churnguard train", reason=reason)
    return True
