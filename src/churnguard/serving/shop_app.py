"""One shop's app with its real parts: its champion, its settings and its secrets.

``churnguard serve`` and a project's own ``serving/app.py`` both begin here.
"""

from __future__ import annotations

from fastapi import FastAPI

from churnguard.errors import ProjectError
from churnguard.jobs.champion import ChampionHolder
from churnguard.jobs.ports import Shop
from churnguard.project.settings import read_secret
from churnguard.serving.app import create_app

LEAST_KEY_LENGTH = 32


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
    champion = ChampionHolder(shop)
    champion.refresh()
    return create_app(shop, champion, open_desk=open_desk, session_key=_session_key(shop))


def _session_key(shop: Shop) -> bytes | None:
    """Return the key that several processes share, so that each knows the others' cookies."""
    text = read_secret("CHURNGUARD_SESSION_KEY", shop.environ)
    if text is None:
        return None
    if len(text) < LEAST_KEY_LENGTH:
        raise ProjectError(
            f"CHURNGUARD_SESSION_KEY is shorter than {LEAST_KEY_LENGTH} characters.",
            hint="Make one with: python -c 'import secrets; print(secrets.token_hex(32))'",
        )
    return text.encode()
