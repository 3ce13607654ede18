"""A project's app has the project's own secrets, and starts before there is a model."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

import churnguard
from churnguard.errors import ProjectError
from churnguard.jobs.keys import create_key
from churnguard.jobs.ports import Shop
from churnguard.serving import app_for

ORIGIN = {"Origin": "http://localhost"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    churnguard.create_project(tmp_path / "garden")
    return tmp_path / "garden"


def _open(project: Path, **secrets: str) -> Shop:
    return churnguard.open_shop(project, environ=secrets)


def _ask(app: FastAPI, method: str, path: str, **options: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return await http.request(method, path, **options)

    return asyncio.run(ask())


def _signed_in(shop: Shop) -> str:
    """Sign in at a server of this shop; return the cookie."""
    _, key = create_key(shop, "dana", ["desk"])
    answer = _ask(app_for(shop), "POST", "/desk/sign-in", data={"key": key}, headers=ORIGIN)
    assert answer.status_code == 303
    return answer.headers["set-cookie"].partition(";")[0]


def _desk(shop: Shop, cookie: str) -> int:
    headers = {"Accept": "text/html", "Cookie": cookie}
    return _ask(app_for(shop), "GET", "/desk", headers=headers).status_code


def test_without_a_model_it_starts_and_says_so(project: Path) -> None:
    app = app_for(_open(project))
    assert _ask(app, "GET", "/livez").status_code == 200
    assert _ask(app, "GET", "/readyz").status_code == 503


def test_a_session_outlives_a_restart_with_the_same_key(project: Path) -> None:
    shop = _open(project, CHURNGUARD_SESSION_KEY="0123456789abcdef" * 2)
    cookie = _signed_in(shop)
    assert _desk(shop, cookie) == 200
    assert _desk(_open(project, CHURNGUARD_SESSION_KEY="fedcba9876543210" * 2), cookie) == 303
    assert _desk(_open(project), cookie) == 303


def test_a_short_session_key_is_refused(project: Path) -> None:
    with pytest.raises(ProjectError, match="shorter than 32 characters") as caught:
        app_for(_open(project, CHURNGUARD_SESSION_KEY="abcdefg"))
    assert "token_hex" in caught.value.hint
    assert "abcdefg" not in str(caught.value)
