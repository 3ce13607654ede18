"""Watch: what drifted of signals and scores, what it costs, and how good the champion is today.

What is expected of the champion is kept in the project, and held against the truth as soon as the
outcome is known; the file grows by a line a look.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US, iso, not_in_future, to_us
from churnguard.errors import NotEnoughHistory
from churnguard.jobs.champion import LoadedChampion, champion_for, load_champion
from churnguard.jobs.drift_look import (
    GROWING,
    LEARNED,
    SCORE,
    SEASON,
    Look,
    compare_look,
    plan_look,
)
from churnguard.jobs.ports import Progress, Shop, silent
from churnguard.jobs.snapshots import History, Snapshots, read_history, take_snapshots
from churnguard.jobs.watch_book import LOOKS, WatchBook
from churnguard.labels import label_named
from churnguard.policy.value import expected_values
from churnguard.project.layout import Layout
from churnguard.training.drift import Drift
from churnguard.training.drift_cost import DriftCost, drift_cost
from churnguard.training.estimated_performance import (
    Estimate,
    estimate_performance,
    observed_performance,
)
from churnguard.training.recipe import Recipe

Floats = NDArray[np.float64]

BOOK = LOOKS


@dataclass(frozen=True)
class Comparison:
    """What had been expected at an earlier look, and what came true.

    Attributes
    ----------
    as_of : str
        The earlier look.
    model_version : str
        Who was champion then.
    expected : mapping of str to Estimate
        As it was told then.
    truth : mapping of str to float
        The same figures by the outcomes.
    """

    as_of: str
    model_version: str
    expected: Mapping[str, Estimate]
    truth: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "as_of": self.as_of,
            "model_version": self.model_version,
            "expected": {name: one.to_dict() for name, one in self.expected.items()},
            "truth": dict(self.truth),
            "inside": {name: one.holds(self.truth[name]) for name, one in self.expected.items()},
        }


@dataclass(frozen=True)
class DriftReport:
    """What the watch saw.

    Attributes
    ----------
    as_of : datetime
        The instant that was looked at.
    model_version : str
        The champion.
    customers : int
        Eligible customers today.
    reference : str
        What they were held against, in words.
    compared : tuple of Drift
        Every signal, and the score as the last.
    expected : mapping of str to Estimate
        How good the champion should be today.
    comparisons : tuple of Comparison
        Earlier looks whose outcome is known, oldest first.
    cost : DriftCost or None
        What the drifted signals cost; None where none drifted.
    horizon_days : int
        How far ahead a risk looks.
    currency : str
        The shop's.
    """

    as_of: datetime
    model_version: str
    customers: int
    reference: str
    compared: tuple[Drift, ...]
    expected: Mapping[str, Estimate]
    comparisons: tuple[Comparison, ...]
    cost: DriftCost | None
    horizon_days: int
    currency: str

    @property
    def drifted(self) -> tuple[Drift, ...]:
        """Signals, and perhaps the score, that drifted."""
        return tuple(one for one in self.compared if one.drifted)

    @property
    def alarm(self) -> bool:
        """Whether anything drifted."""
        return bool(self.drifted)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "as_of": iso(self.as_of),
            "model_version": self.model_version,
            "customers": self.customers,
            "reference": self.reference,
            "alarm": self.alarm,
            "drifted": [one.name for one in self.drifted],
            "cost": self.cost.to_dict() if self.cost else None,
            "expected": {name: one.to_dict() for name, one in self.expected.items()},
            "comparisons": [one.to_dict() for one in self.comparisons],
            "compared": [one.to_dict() for one in self.compared],
        }

    def to_text(self) -> str:
        """Return a page for a person."""
        lines = [
            f"{self.customers:,} customers as of {iso(self.as_of)}, model version "
            f"{self.model_version}, held against {self.reference}",
            *(_tell(one) for one in self.drifted),
            *([self._cost()] if self.cost else []),
        ]
        if not self.alarm:
            lines.append(f"Nothing drifted: {len(self.compared) - 1} signals and the score.")
        lines += ["", f"Expected of the model over the next {self.horizon_days} days:"]
        lines += [f"  {_WORDS[name]}: {_range(name, one)}" for name, one in self.expected.items()]
        if self.comparisons:
            lines += ["", "What was expected earlier, and what came true:"]
            lines += [line for one in self.comparisons for line in _earlier(one)]
        return "\n".join(lines)

    def _cost(self) -> str:
        cost = self.cost
        assert cost is not None
        listed = f"On a list of {cost.listed:,.0f} customers, as many as today's,"
        if round(cost.missed) <= 0:
            return f"{listed} this costs nobody who leaves."
        return (
            f"{listed} about {cost.missed:,.0f} of {cost.caught_before:,.0f} customers who leave "
            f"would be missed: {cost.worth:,.2f} {self.currency} of margin expected over "
            f"{self.horizon_days} days."
        )


def drift(shop: Shop, *, as_of: datetime | None = None, progress: Progress = silent) -> DriftReport:
    """Look at everybody today, and keep what is expected.

    Parameters
    ----------
    shop : Shop
        An opened project.
    as_of : datetime, optional
        Use only what was known before it; now when not given.
    progress : callable
        Told what is being done.

    Raises
    ------
    ModelNotFound
        If there is no champion yet.
    NotEnoughHistory
        If nobody is eligible today.
    InvalidRequest
        If the instant lies in the future.
    """
    cutoff = not_in_future(as_of, shop.clock) if as_of else shop.clock()
    champion = champion_for(shop, as_of)
    history = read_history(shop, known_before=cutoff, progress=progress)
    facts = champion.bundle.facts
    look = plan_look(
        to_us(cutoff),
        history_from_us=to_us(history.data_from),
        learned_through_us=to_us(facts.labels_through) - facts.horizon_days * DAY_US,
    )
    taken = _Taken.of(history, champion, look.cutoffs, progress)
    if not len(taken.rows(look.as_of)):
        raise NotEnoughHistory(
            f"At {iso(cutoff)} there are no "
            f"{label_named(facts.label).who.format(days=facts.look_back_days)}.",
            hint="Bring in newer events with 'churnguard ingest'.",
        )
    compared = compare_look(
        look,
        taken.rows,
        champion.bundle.catalogue.names,
        risks=champion.bundle.model.risks,
        without=_without(shop, champion),
    )
    model, threshold = champion.bundle.model, shop.settings.bands[1]
    expected = estimate_performance(
        model.margins(taken.rows(look.as_of)),
        threshold=threshold,
        level_sd=model.calibration.level_sd,
    )
    book = WatchBook(Layout(shop.root).data / BOOK)
    report = DriftReport(
        as_of=cutoff,
        model_version=champion.entry.version,
        customers=len(taken.rows(look.as_of)),
        reference=look.words,
        compared=compared,
        expected=expected,
        comparisons=_comparisons(shop, history, book, progress),
        cost=_cost(shop, champion, look, taken, compared),
        horizon_days=facts.horizon_days,
        currency=shop.settings.currency,
    )
    book.put(iso(cutoff), _entry(report, threshold))
    return report


@dataclass(frozen=True)
class _Taken:
    """Snapshots by cutoff."""

    snapshots: Snapshots

    @classmethod
    def of(
        cls,
        history: History,
        champion: LoadedChampion,
        cutoffs: Sequence[int],
        progress: Progress,
    ) -> _Taken:
        bundle = champion.bundle
        snapshots = take_snapshots(
            history,
            bundle.catalogue,
            cutoffs,
            population=bundle.population,
            horizon_days=bundle.facts.horizon_days,
            look_back_days=bundle.facts.look_back_days,
            progress=progress,
            label=bundle.facts.label,
        )
        return cls(snapshots)

    def rows(self, cutoff: int) -> Floats:
        rows = self.snapshots.rows
        return np.asarray(rows.values[rows.cutoffs == cutoff])

    def known(self, cutoffs: Sequence[int]) -> tuple[Floats, NDArray[np.int8]]:
        """Return the rows of some cutoffs whose outcome is known, and the outcome."""
        kept = np.isin(self.snapshots.rows.cutoffs, cutoffs) & self.snapshots.mature
        return self.snapshots.rows.values[kept], self.snapshots.churned[kept].astype(np.int8)


def _without(shop: Shop, champion: LoadedChampion) -> set[str]:
    """Return the signals that only tell the time."""
    folder = Layout(shop.root).bundles / champion.entry.bundle.removeprefix("sha256:")
    recipe = Recipe.from_dict(json.loads((folder / "recipe.json").read_text(encoding="utf-8")))
    return {*recipe.signals.season, *recipe.signals.calendar, *GROWING}


def _cost(
    shop: Shop,
    champion: LoadedChampion,
    look: Look,
    taken: _Taken,
    compared: Sequence[Drift],
) -> DriftCost | None:
    names = champion.bundle.catalogue.names
    columns = [names.index(one.name) for one in compared if one.drifted and one.name != SCORE]
    if not columns:
        return None
    X, y = taken.known(look.references.get(SEASON, ()))
    if not len(X):
        X, y = taken.known(look.references[LEARNED])
    if not len(X):
        return None
    model, today = champion.bundle.model, taken.rows(look.as_of)
    flagged = float((model.risks(today) >= shop.settings.bands[1]).mean()) or 0.1
    return drift_cost(
        model.margins,
        X,
        y,
        _worth(shop, champion, X),
        current=today,
        columns=columns,
        listed=max(1, round(flagged * len(X))),
    )


def _worth(shop: Shop, champion: LoadedChampion, X: Floats) -> Floats:
    names, facts = champion.bundle.catalogue.names, champion.bundle.facts

    def column(name: str) -> Floats:
        return X[:, names.index(name)] if name in names else np.full(len(X), np.nan)

    return expected_values(
        column("net_spend_365d"),
        column("orders_365d"),
        shop_mean_spend=facts.mean_spend,
        horizon_days=facts.horizon_days,
        margin=shop.settings.margin,
    )


def _entry(report: DriftReport, threshold: float) -> dict[str, Any]:
    return {
        "model_version": report.model_version,
        "threshold": threshold,
        "horizon_days": report.horizon_days,
        "drifted": [one.name for one in report.drifted],
        "ratios": {one.name: round(one.ratio, 4) for one in report.compared},
        "expected": {name: one.to_dict() for name, one in report.expected.items()},
    }


def _comparisons(
    shop: Shop, history: History, book: WatchBook, progress: Progress
) -> tuple[Comparison, ...]:
    """Hold earlier looks against the truth; what was found once is kept with the look."""
    versions = {entry.version: entry for entry in shop.ledger.history()}
    found = []
    for key, entry in book.entries().items():
        at = to_us(datetime.fromisoformat(key))
        if at + entry["horizon_days"] * DAY_US > history.data_end:
            continue
        if "truth" not in entry:
            if entry["model_version"] not in versions:
                continue
            champion = load_champion(shop, versions[entry["model_version"]])
            X, y = _Taken.of(history, champion, [at], progress).known([at])
            margins = champion.bundle.model.margins(X)
            entry["truth"] = observed_performance(margins, y, threshold=entry["threshold"])
            book.put(key, entry)
        expected = {name: Estimate.from_dict(one) for name, one in entry["expected"].items()}
        found.append(Comparison(key, entry["model_version"], expected, entry["truth"]))
    return tuple(found)


_WORDS = {
    "auc": "of two customers, one who leaves and one who stays, told apart (AUC)",
    "log_loss": "log loss",
    "churners": "customers who leave",
    "listed": "customers on the list of high risk",
    "caught": "of those on the list, leave",
}


def _range(name: str, one: Estimate) -> str:
    if name == "listed":
        return f"{one.value:,.0f}"
    shape = ".3f" if name in ("auc", "log_loss") else ",.0f"
    return f"{one.value:{shape}} ({one.low:{shape}} to {one.high:{shape}})"


def _tell(one: Drift) -> str:
    """Return one sentence about one drift."""
    what = "The scores" if one.name == SCORE else f"The signal {one.name}"
    shifts = list(one.against.values())
    if one.missing:
        before, now = shifts[0].missing_before, shifts[0].missing_now
        return f"{what} is missing for {now:.0%} of the customers; it used to be for {before:.0%}."
    index = min(shift.psi for shift in shifts)
    limit = max(shift.psi_limit for shift in shifts)
    moved = "have moved" if one.name == SCORE else "has moved"
    return f"{what} {moved}: stability index {index:.2f}, where {limit:.2f} is the limit."


def _earlier(one: Comparison) -> list[str]:
    lines = [f"  {one.as_of}, model version {one.model_version}"]
    for name, estimate in one.expected.items():
        if name == "listed":
            continue
        shape = ".3f" if name in ("auc", "log_loss") else ",.0f"
        verdict = "as expected" if estimate.holds(one.truth[name]) else "not as expected"
        told = f"{_range(name, estimate)}, was {one.truth[name]:{shape}}"
        lines.append(f"    {_WORDS[name]}: {told}: {verdict}")
    return lines
