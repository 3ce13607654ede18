"""What the store and the project know that is worth watching: read when somebody looks.

These numbers outlive a process and are the same in every one, so none has to be counted along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from churnguard.errors import ChurnGuardError
from churnguard.jobs.ports import DeliveryState, Shop
from churnguard.jobs.watch_book import LOOKS, WatchBook
from churnguard.project.layout import Layout

MOST_FEATURES = 200
"""Features told of, those that drifted most; so the number of series is bounded."""

_OUTCOMES: Mapping[str, DeliveryState] = {
    "delivered": "delivered",
    "retried": "waiting",
    "failed": "failed",
    "cancelled": "cancelled",
}


@dataclass(frozen=True)
class Gauge:
    """One number: its name, what it means, its value, and labels that tell it from others.

    ``total`` marks a number that only rises.
    """

    name: str
    meaning: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    total: bool = False


def gauges(shop: Shop) -> list[Gauge]:
    """Return what is worth watching of a shop; what cannot be read is left out.

    Parameters
    ----------
    shop : Shop
        An opened project.

    Returns
    -------
    list of Gauge
        The first says whether the store answers.

    Examples
    --------
    >>> from churnguard.testing import build_score, fake_shop
    >>> found = gauges(fake_shop([build_score("C1")]))
    >>> found[0].name, found[0].value
    ('churnguard_store_up', 1.0)
    >>> [one.value for one in found if "_batch_" in one.name]
    [1795262400.0]
    """
    found: list[Gauge] = []
    up = 1.0
    for read in _READERS:
        try:
            found += read(shop)
        except (ChurnGuardError, OSError, ValueError):
            up = 0.0
    return [Gauge("churnguard_store_up", "1 if the store answers, else 0.", up), *found]


def _batch(shop: Shop) -> Iterator[Gauge]:
    run = shop.scores.latest_run()
    if run is not None:
        name = "churnguard_batch_last_success_timestamp_seconds"
        yield Gauge(name, "When everybody was last scored.", run.created_at.timestamp())


def _data(shop: Shop) -> Iterator[Gauge]:
    through = shop.events.data_through()
    if through is not None:
        name = "churnguard_events_last_occurred_timestamp_seconds"
        yield Gauge(name, "When the newest event occurred.", through.timestamp())


def _champion(shop: Shop) -> Iterator[Gauge]:
    champion = shop.ledger.champion()
    if champion is not None:
        name = "churnguard_champion_promoted_timestamp_seconds"
        yield Gauge(name, "When the champion was promoted.", champion.at.timestamp())


def _webhooks(shop: Shop) -> Iterator[Gauge]:
    ended = shop.outbox.ended()
    meaning = "Attempts to deliver a webhook, by outcome; retried: another one follows."
    for outcome, state in _OUTCOMES.items():
        number = float(ended.get(state, 0))
        yield Gauge(
            "churnguard_webhook_deliveries", meaning, number, {"outcome": outcome}, total=True
        )
    waiting = float(shop.outbox.counts().get("waiting", 0))
    yield Gauge("churnguard_webhook_waiting", "Webhook deliveries that wait.", waiting)
    oldest = shop.outbox.oldest_waiting()
    if oldest is not None:
        name = "churnguard_webhook_oldest_waiting_timestamp_seconds"
        yield Gauge(name, "Since when the oldest of them waits.", oldest.timestamp())


def _drift(shop: Shop) -> Iterator[Gauge]:
    looks = WatchBook(Layout(shop.root).data / LOOKS).entries()
    newest = looks[max(looks)] if looks else {}
    ratios = sorted(newest.get("ratios", {}).items(), key=lambda one: (-one[1], one[0]))
    meaning = "How far a signal or kind of event went on the way to its limits; above 1 it drifted."
    for name, ratio in ratios[:MOST_FEATURES]:
        yield Gauge("churnguard_feature_drift_ratio", meaning, ratio, {"feature": name})


_READERS: tuple[Callable[[Shop], Iterator[Gauge]], ...] = (
    _batch,
    _data,
    _champion,
    _webhooks,
    _drift,
)
