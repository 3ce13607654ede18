"""What every score of a shop depends on besides the customer, put together in one place."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from churnguard.clock import to_us
from churnguard.events.timeline import Timeline
from churnguard.features.build import FeatureRows, build_features
from churnguard.jobs.champion import LoadedChampion
from churnguard.jobs.ports import Shop
from churnguard.policy.holdout import Holdout
from churnguard.policy.playbook import Playbook, read_playbook
from churnguard.project.layout import Layout
from churnguard.project.secrets import holdout_key
from churnguard.scoring.compose import ScoringContext


def scoring_context(shop: Shop, champion: LoadedChampion, *, as_of: datetime) -> ScoringContext:
    """Return what scores at an instant depend on: model, playbook, holdout, settings, freshness."""
    newest = shop.events.data_through(as_of)
    return ScoringContexts(shop).at(champion, as_of=as_of, data_through=newest)


class ScoringContexts:
    """Makes the contexts of a shop, working out once what is the same until something changes.

    Parameters
    ----------
    shop : Shop
        An opened project.
    """

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._layout = Layout(shop.root)
        self._kept: tuple[LoadedChampion, int, ScoringContext] | None = None
        self._last: tuple[ScoringContext, tuple[Any, ...], ScoringContext] | None = None

    def at(
        self,
        champion: LoadedChampion,
        *,
        as_of: datetime,
        data_through: datetime | None,
        degraded: bool = False,
    ) -> ScoringContext:
        """Return what scores at an instant depend on.

        Parameters
        ----------
        champion : LoadedChampion
            The model that speaks.
        as_of : datetime
            The cutoff.
        data_through : datetime or None
            The newest event known by then.
        degraded : bool
            The store does not answer.
        """
        changed = self._layout.playbook.stat().st_mtime_ns
        kept = self._kept
        if kept is None or kept[0] is not champion or kept[1] != changed:
            self._kept = kept = (champion, changed, self._lasting(champion, changed))
        population = champion.bundle.population
        used = population.name_at(to_us(as_of)) if population is not None else None
        told = (used, data_through, degraded)
        last = self._last
        if last is None or last[0] is not kept[2] or last[1] != told:
            context = kept[2].at(
                model_name=champion.named(used), data_through=data_through, degraded=degraded
            )
            self._last = last = (kept[2], told, context)
        return last[2]

    def _lasting(self, champion: LoadedChampion, changed: int) -> ScoringContext:
        settings, facts = self._shop.settings, champion.bundle.facts
        key = holdout_key(self._layout, self._shop.environ)
        return ScoringContext(
            model=champion.bundle.model,
            model_name=champion.name,
            catalogue=champion.bundle.catalogue,
            playbook=_playbook(self._layout.playbook, changed),
            holdout=Holdout(key, share=settings.control_share),
            shop_mean_spend=facts.mean_spend,
            peers=facts.peers,
            segment_peers=facts.segment_peers,
            label=facts.label,
            horizon_days=facts.horizon_days,
            look_back_days=facts.look_back_days,
            bands=settings.bands,
            margin=settings.margin,
            currency=settings.currency,
            stale_after=timedelta(hours=settings.stale_after_hours),
        )


def feature_rows(timeline: Timeline, champion: LoadedChampion, *, as_of: datetime) -> FeatureRows:
    """Return one row of signals for every customer of a timeline."""
    customers = np.arange(len(timeline.customer_ids), dtype=np.int32)
    return build_features(
        timeline,
        champion.bundle.catalogue,
        customers,
        np.full(len(customers), to_us(as_of), dtype=np.int64),
        population=champion.bundle.population,
    )


@lru_cache(maxsize=8)
def _playbook(path: Path, changed: int) -> Playbook:
    """Read a playbook once for each time it is edited."""
    del changed
    return read_playbook(path)
