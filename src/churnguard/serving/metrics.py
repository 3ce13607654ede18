"""Metrics for Prometheus, with labels of bounded number and never anybody's id.

What one process does - requests, refusals, scores - is counted here. What the store knows is read
from it when Prometheus asks (``jobs/gauges.py``), so it is right in every process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from churnguard import __version__
from churnguard.jobs.gauges import gauges
from churnguard.jobs.ports import Shop
from churnguard.jobs.sent import RawSent
from churnguard.scoring.score import Score
from churnguard.serving.door import Champion, Scorer

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Seconds; the default of OpenTelemetry's ``http.server.request.duration``."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

disable_created_metrics()  # type: ignore[no-untyped-call] # series that nobody asks for


class Metrics:
    """The metrics of one app.

    Parameters
    ----------
    shop : Shop
        Whose store is read.
    champion : Champion
        The model of the moment.

    Examples
    --------
    >>> from churnguard.testing import FakeChampion, fake_shop
    >>> metrics = Metrics(fake_shop(), FakeChampion())
    >>> metrics.observe("GET", "/v1/model", 200, 0.004)
    >>> b'route="/v1/model",status="2xx"} 1.0' in metrics.exposition()
    True
    """

    def __init__(self, shop: Shop, champion: Champion) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "churnguard_http_request_duration_seconds",
            "Time from a request's first byte to the end of its answer.",
            ["method", "route", "status"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._refused = Counter(
            "churnguard_http_requests_refused",
            "Requests refused before they were looked at, by reason.",
            ["reason"],
            registry=self._registry,
        )
        self._scores = Counter(
            "churnguard_scores",
            "Scores given in requests, by band; none: there was no number to give.",
            ["band", "model_alias"],
            registry=self._registry,
        )
        about = Gauge(
            "churnguard_build_info",
            "Always 1; the label names the version.",
            ["version"],
            registry=self._registry,
            multiprocess_mode="max",
        )
        about.labels(__version__).set(1)
        self._store = _StoreCollector(shop, champion)
        # Finding a series by its labels costs more than counting; there are few of each.
        self._series = lru_cache(maxsize=1024)(self._requests.labels)
        self._reasons = lru_cache(maxsize=16)(self._refused.labels)
        self._bands = lru_cache(maxsize=16)(self._scores.labels)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request, by its route's template and the class of its status."""
        told = f"{status // 100}xx" if status else "none"
        known = method if method in _METHODS else "other"
        self._series(known, route, told).observe(seconds)

    def refused(self, reason: str) -> None:
        """Count one request that was refused at the outermost wall."""
        self._reasons(reason).inc()

    def scored(self, scores: Sequence[Score]) -> None:
        """Count scores that were given."""
        for score in scores:
            self._bands(score.band or "none", "champion").inc()

    def exposition(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        counted = self._registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            from prometheus_client.multiprocess import MultiProcessCollector

            counted = CollectorRegistry()
            MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
        read = CollectorRegistry()
        read.register(self._store)
        return generate_latest(counted) + generate_latest(read)


class CountedScorer:
    """A scorer whose scores are counted.

    Parameters
    ----------
    scorer : Scorer
        Who scores.
    metrics : Metrics
        Where it is counted.
    """

    def __init__(self, scorer: Scorer, metrics: Metrics) -> None:
        self._scorer = scorer
        self._metrics = metrics

    def __call__(
        self,
        shop: Shop,
        champion: Any,
        customer_ids: Sequence[str],
        *,
        as_of: datetime | None,
        explain: bool,
    ) -> list[Score]:
        """Return one score for each id, in order."""
        scores = self._scorer(shop, champion, customer_ids, as_of=as_of, explain=explain)
        self._metrics.scored(scores)
        return scores

    def sent(
        self, champion: Any, items: Sequence[RawSent], *, as_of: datetime | None, explain: bool
    ) -> list[Score]:
        """Return one score for each item, made of what was sent along."""
        scores = self._scorer.sent(champion, items, as_of=as_of, explain=explain)
        self._metrics.scored(scores)
        return scores


class _StoreCollector(Collector):
    """Read the store's own numbers when somebody asks."""

    def __init__(self, shop: Shop, champion: Champion) -> None:
        self._shop = shop
        self._champion = champion

    def collect(self) -> Iterator[Metric]:
        """Give one family for each name."""
        loaded, wrong = self._champion.current(), self._champion.error
        yield _gauge("churnguard_model_loaded", "1 if a model answers.", float(loaded is not None))
        meaning = "1 if the newest champion was refused; an older one may still answer."
        yield _gauge("churnguard_model_refused", meaning, float(wrong is not None))
        families: dict[str, Metric] = {}
        for one in gauges(self._shop):
            kind = CounterMetricFamily if one.total else GaugeMetricFamily
            family = families.setdefault(
                one.name, kind(one.name, one.meaning, labels=list(one.labels))
            )
            family.add_metric(list(one.labels.values()), one.value)  # type: ignore[attr-defined]
        yield from families.values()


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)
