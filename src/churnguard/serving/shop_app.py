"""A shop's app with its real parts - champion, settings, secrets - or the app of several shops.

``churnguard serve`` and a project's own ``serving/app.py`` both begin here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

from fastapi import FastAPI

from churnguard.errors import ProjectError, StoreUnavailable
from churnguard.jobs.champion import ChampionHolder
from churnguard.jobs.erase import finish_erasures
from churnguard.jobs.loops import Loop, background_loops
from churnguard.jobs.ports import Shop
from churnguard.project.layout import Layout
from churnguard.project.secrets import demand_drawn_secrets
from churnguard.project.settings import read_secret
from churnguard.serving.app import create_app
from churnguard.serving.many_shops import ManyShops, session_key_of


def app_for(shop: Shop, *, open_desk: bool = False) -> FastAPI:
    """Return the app of an opened project, its champion loaded and proven.

    Without a champion, or with one that is refused, the app starts all the same: ``/readyz`` says
    what is missing, and a good champion is taken up as soon as there is one.

    Parameters
    ----------
    shop : Shop
        An opened project; ``CHURNGUARD_SESSION_KEY`` is looked up in its environment.
    open_desk : bool
        Let anybody in at the desk, for the demo.

    Raises
    ------
    ProjectError
        If the session key is too short to be one, or its file cannot be read.
    """
    return _app(shop, open_desk=open_desk, session_key=_session_key(shop))


def app_for_many(shops: Sequence[Shop]) -> ManyShops:
    """Return the app of several opened projects; the credential picks the shop.

    Parameters
    ----------
    shops : sequence of Shop
        Each with its own store, history, keys and bundles.

    Raises
    ------
    ProjectError
        If a project is named twice, two share a store, or a session key cannot be used.
    """
    for names in ([str(shop.root) for shop in shops], [store_of(shop) for shop in shops]):
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ProjectError(
                f"Two of the projects are one: {twice}.",
                hint="Give each shop its own folder and its own store.",
            )
    apps = []
    for shop in shops:
        key = session_key_of(str(shop.root), _session_key(shop))
        apps.append(_app(shop, open_desk=False, session_key=key))
    return ManyShops(apps)


def store_of(shop: Shop) -> str:
    """Return the address of a shop's store, without a password."""
    address = Layout(shop.root).resolve_store(shop.settings.store)
    return re.sub(r"(//[^:/@]*):[^@]*@", r"\1@", address)


def _app(shop: Shop, *, open_desk: bool, session_key: bytes | None) -> FastAPI:
    if not open_desk:
        demand_drawn_secrets(shop.environ)
    champion = ChampionHolder(shop)
    forgetting = Forgetting(shop)
    forgetting.step()
    with suppress(StoreUnavailable):  # it is asked again every other second
        champion.refresh()
    loops = [Loop("forgetting", seconds=1.0, step=forgetting.step)]
    if shop.settings.background_loops:
        loops += background_loops(shop, champion.current)
    return create_app(shop, champion, open_desk=open_desk, session_key=session_key, loops=loops)


class Forgetting:
    """Finishes erasures before a shop is served, or as soon as its store can be reached."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._done = False

    def step(self) -> bool:
        """Do it, unless it is done; there is never more to do at once."""
        if not self._done:
            with suppress(StoreUnavailable):
                finish_erasures(self._shop)
                self._done = True
        return False


def _session_key(shop: Shop) -> bytes | None:
    """Return the key that several processes share, so that each knows the others' cookies."""
    text = read_secret("CHURNGUARD_SESSION_KEY", shop.environ)
    if text is None:
        return None
    return text.encode()
