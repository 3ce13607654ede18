"""Servers for tests of faults: each with a project of its own, ended when the test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from harness import History, Server, WarmServer, make_project


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Make servers of new projects (``name``); ``start`` them, or use them in a ``with``."""
    servers: list[Server] = []

    def make(
        name: str = "shop",
        *,
        root: Path | None = None,
        scopes: Sequence[str] | None = None,
        environ: Mapping[str, str] | None = None,
        words: Sequence[str] = (),
        under: Sequence[str] = (),
        warm: bool = False,
    ) -> Server:
        root = root or tmp_path / name
        key = make_project(root, scopes=scopes, **(environ or {}))
        kind = WarmServer if warm else Server
        servers.append(kind(root, key, environ=environ, words=words, under=under))
        return servers[-1]

    yield make
    for server in servers:
        server.kill()
        if isinstance(server, WarmServer):
            server.retire()


@pytest.fixture
def history() -> History:
    """Record what is sent and told."""
    return History()
