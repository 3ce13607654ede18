"""Watch: what drifted of signals, scores and deliveries, its cost, and how good the champion is.

What is expected of the champion is kept in the project, and held against the truth as soon as the
outcome is known; the file grows by a line a look.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US, iso, not_in_future, to_us
from churnguard.errors import NotEnoughHistory
from churnguard.jobs.champion import LoadedChampion, champion_for, load_champion
from churnguard.jobs.delivery_look import Deliveries, kinds_read
from churnguard.jobs.drift_look import (
    GROWING,
    LEARNED,
    SCORE,
    SEASON,
    Look,
    compare_look,
    plan_look,
)
from churnguard.jobs.drift_report import Comparison, DriftReport
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
    came = Deliveries(
        history.timelines, label_named(facts.label), look_back_days=facts.look_back_days
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
        deliveries=came.compare(look, kinds_read(champion.bundle.catalogue)),
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
        "ratios": {one.name: round(one.ratio, 4) for one in report.looked_at},
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
