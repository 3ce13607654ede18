"""Put the app together: endpoints, walls and pages round one shop and its champion."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI

from churnguard import __version__
from churnguard.jobs.loops import Loop
from churnguard.jobs.ports import Shop
from churnguard.project.settings import Settings
from churnguard.serving import (
    actions,
    at_risk,
    customers,
    events,
    health,
    history,
    model,
    privacy,
    problems,
    reference,
    scores,
    webhooks,
)
from churnguard.serving.access_log import AccessLog
from churnguard.serving.auth import KeyRing
from churnguard.serving.desk import mount_desk
from churnguard.serving.door import Champion, Door, Scorer
from churnguard.serving.events.bodies import MOST_BYTES as MOST_BYTES_OF_EVENTS
from churnguard.serving.head import HeadAsGet
from churnguard.serving.headers import SecurityHeaders
from churnguard.serving.limits import LARGEST_BODY, LOOPBACK, BodyLimit, KnownHosts
from churnguard.serving.metrics import CountedScorer, Metrics
from churnguard.serving.overload import Overload, Places
from churnguard.serving.polling import lifespan_of
from churnguard.serving.rate_limits import Budgets, Policy
from churnguard.serving.scores.schemas import MOST_BYTES as MOST_BYTES_OF_SCORES
from churnguard.serving.slow_clients import SlowClients

_ABOUT = """
Which customers of an online shop are drifting away, why, and what is worth doing about it.

Send an API key as `Authorization: Bearer cg_live_...`. Errors are `application/problem+json`
(RFC 9457). Instants are ISO 8601; a time without a zone is read in the shop's own.
"""

ROOMS = (
    *(events, scores, history, customers, at_risk, actions, webhooks, privacy, model, health),
    reference,
)
"""Every room of the API; where one path begins like another, the longer stands first."""

LARGER = {"/v1/events": MOST_BYTES_OF_EVENTS, "/v1/scores": MOST_BYTES_OF_SCORES}
"""Bytes of a body where many things may come at once, by path."""


def create_app(
    shop: Shop,
    champion: Champion,
    *,
    open_desk: bool = False,
    scorer: Scorer | None = None,
    session_key: bytes | None = None,
    allowed_hosts: Sequence[str] | None = None,
    largest_body: int = LARGEST_BODY,
    poll_seconds: float = 2.0,
    loops: Sequence[Loop] = (),
) -> FastAPI:
    """Return the app that serves one shop.

    Parameters
    ----------
    shop : Shop
        The opened project.
    champion : Champion
        The model of the moment; refreshed at the start and every ``poll_seconds``.
    open_desk : bool
        Let everybody in at the desk, for the demo; then only loopback hosts are answered.
    scorer : Scorer, optional
        How customers are scored; ``churnguard.jobs.score_customer.score_customers`` if left out.
    session_key : bytes, optional
        Seals the desk's cookies; a random one if left out, so that a restart signs everybody out.
    allowed_hosts : sequence of str, optional
        Host names that are answered; all if left out, unless ``open_desk``.
    largest_body : int
        Bytes that a request's body may have.
    poll_seconds : float
        Seconds between two looks for a new champion.
    loops : sequence of Loop
        What goes on in the background while the app lives; see ``churnguard.jobs.loops``.

    Examples
    --------
    >>> from churnguard.testing import FakeChampion, FakeScorer, fake_shop
    >>> app = create_app(fake_shop(), FakeChampion(), scorer=FakeScorer())
    >>> app.title
    'ChurnGuard'
    """
    ring = KeyRing(shop)
    app = FastAPI(
        title="ChurnGuard",
        version=__version__,
        description=_ABOUT.strip(),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan_of(champion, seconds=poll_seconds, tidy=ring.step, loops=loops),
    )
    metrics = app.state.metrics = Metrics(shop, champion)
    app.state.metrics_open = open_desk
    scorer = CountedScorer(scorer or _real_scorer(shop), metrics)
    app.state.door = Door(shop, champion, scorer)
    app.state.keys = ring
    app.state.places = Places(shop.settings.requests_at_once, refused=metrics.refused)
    app.state.budgets = Budgets(_policies(shop.settings))
    for room in ROOMS:
        # Not included but taken over: a router within a router would be asked layer by layer.
        app.router.routes.extend(room.router.routes)
    webhooks.describe_webhooks(app)
    mount_desk(app, app.state.door, open_desk=open_desk, session_key=session_key)
    problems.install(app)
    hosts = allowed_hosts or (LOOPBACK if open_desk else ("*",))
    # The last one added is the outermost.
    app.add_middleware(HeadAsGet)
    app.add_middleware(BodyLimit, largest=largest_body, larger=LARGER)
    app.add_middleware(SlowClients)
    app.add_middleware(KnownHosts, hosts=hosts)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(AccessLog, observe=metrics.observe)
    app.add_middleware(Overload, places=app.state.places)
    return app


def _policies(settings: Settings) -> list[Policy]:
    return [
        Policy("default", settings.requests_per_minute, "requests"),
        Policy("events", settings.events_per_minute, "events"),
    ]


def _real_scorer(shop: Shop) -> Scorer:
    from churnguard.jobs.score_customer import CustomerScorer
    from churnguard.jobs.timeline_cache import TimelineCache

    most = shop.settings.timelines_mb * 1024 * 1024
    return CustomerScorer(shop, TimelineCache(shop, most_bytes=most))
