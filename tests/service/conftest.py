"""A client that speaks to an app in this process, lifespan included."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI
from small_model import NOW, make_bundle, make_shop, promote

from churnguard.jobs.champion import ChampionHolder
from churnguard.jobs.ports import Shop
from churnguard.jobs.score_customer import CustomerScorer
from churnguard.jobs.timeline_cache import TimelineCache
from churnguard.serving import create_app
from churnguard.serving.many_shops import ManyShops, all_alive
from churnguard.testing import NOON, FakeChampion, FakeScorer, build_score, fake_shop


class Client:
    """Ask an app over ASGI; cookies are kept, redirects are not followed."""

    def __init__(self, portal: Any, app: FastAPI | ManyShops, key: str | None = None) -> None:
        self._portal = portal
        self.app = app
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://localhost:8000")
        if key:
            self._http.headers["Authorization"] = f"Bearer {key}"

    @property
    def cookies(self) -> httpx.Cookies:
        return self._http.cookies

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            return await self._http.request(method, url, **options)

        return self._portal.call(ask)

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> httpx.Response:
        return self.request("POST", url, **options)

    def as_key(self, key: str | None) -> Client:
        """Return a client of the same app with another key, or none."""
        return Client(self._portal, self.app, key)


@pytest.fixture
def make_client() -> Iterator[Callable[..., Client]]:
    """Build clients of apps; everything that ``create_app`` takes may be named."""
    with contextlib.ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())

        def build(
            shop: Shop | None = None,
            *,
            champion: Any = None,
            key: str | None = None,
            **options: Any,
        ) -> Client:
            options.setdefault("scorer", FakeScorer(SCORES))
            app = create_app(shop or fake_shop(SCORES), champion or FakeChampion(), **options)
            lifespan = portal.wrap_async_context_manager(app.router.lifespan_context(app))
            stack.enter_context(lifespan)
            return Client(portal, app, key)

        yield build


@pytest.fixture
def make_many() -> Iterator[Callable[..., Client]]:
    """Build a client of several shops behind one address; the first key is sent along."""
    with contextlib.ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())

        def build(*shops: Shop, key: str | None = None) -> Client:
            scorer = FakeScorer(SCORES)
            app = ManyShops([create_app(shop, FakeChampion(), scorer=scorer) for shop in shops])
            stack.enter_context(portal.wrap_async_context_manager(all_alive(app.apps)))
            return Client(portal, app, key)

        yield build


SCORES = (
    build_score("C1"),
    build_score("C2", churn_risk=0.4, band="medium"),
    build_score("C3", status="abstained", status_reason="too_little_history"),
)


@pytest.fixture
def shop() -> Shop:
    """Open a shop with three customers in its newest batch."""
    return fake_shop(SCORES)


@pytest.fixture
def new_key(shop: Shop) -> Callable[..., str]:
    """Make API keys of that shop."""
    return lambda *scopes, **options: shop.keys.create("test", scopes, now=NOON, **options)[1]


@pytest.fixture
def client(make_client: Callable[..., Client], shop: Shop, new_key: Callable[..., str]) -> Client:
    """Ask with a key that may do everything."""
    return make_client(shop, key=new_key("scores:read", "actions:write", "desk"))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, ChampionHolder]:
    """Open a real shop with a few customers and a small model; each file of tests has its own."""
    shop = make_shop(tmp_path_factory.mktemp("real") / "shop", customers=14)
    promote(shop, make_bundle(shop, 1))
    holder = ChampionHolder(shop)
    assert holder.refresh(), holder.error
    return shop, holder


@pytest.fixture
def real_client(
    make_client: Callable[..., Client], real: tuple[Shop, ChampionHolder]
) -> Callable[..., Client]:
    """Build a client of that shop, its scores computed, with a key of some scopes."""
    shop, holder = real

    def build(*scopes: str) -> Client:
        key = shop.keys.create("test", list(scopes), now=NOW)[1]
        scorer = CustomerScorer(shop, TimelineCache(shop))
        return make_client(shop, champion=holder, scorer=scorer, key=key)

    return build
