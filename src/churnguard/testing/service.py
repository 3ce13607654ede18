"""The whole service in this process: the real app over a shop in memory, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from churnguard.client import Client, Reply, Request, Retries
from churnguard.jobs.keys import SCOPES
from churnguard.scoring.score import Score
from churnguard.testing.builders import NOON
from churnguard.testing.model import FakeChampion, FakeScorer
from churnguard.testing.shop import fake_shop


class AppTransport:
    """Carry a client's requests into an ASGI app.

    Parameters
    ----------
    app : ASGI application
        What answers.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, request: Request) -> Reply:
        """Carry one request."""
        return asyncio.run(self._carry(request))

    async def _carry(self, request: Request) -> Reply:
        path, _, query = request.path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", b"localhost"), *_encoded(request)],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": request.body or b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
        body = b"".join(part.get("body", b"") for part in sent[1:])
        return Reply(sent[0]["status"], headers, body)


def fake_service(scores: Iterable[Score] = (), **changes: Any) -> Client:
    """Return a client of the real app over a shop in memory, with a key that may do everything.

    Parameters
    ----------
    scores : iterable of Score
        The newest batch, which is also what requests are answered with.
    **changes
        Fields of the shop that differ; see :func:`~churnguard.testing.fake_shop`.

    Examples
    --------
    >>> from churnguard.testing import build_score
    >>> fake_service([build_score("C1")]).score("C1").status
    'scored'
    """
    from churnguard.serving import create_app

    batch = list(scores)
    shop = fake_shop(batch, **changes)
    _, key = shop.keys.create("client", tuple(SCOPES), now=NOON)
    app = create_app(shop, FakeChampion(), scorer=FakeScorer(batch))
    impatient = Retries(sleep=lambda _: None)
    return Client("http://localhost", key, retries=impatient, transport=AppTransport(app))


def _encoded(request: Request) -> list[tuple[bytes, bytes]]:
    length = {"Content-Length": str(len(request.body))} if request.body is not None else {}
    headers = {**request.headers, **length}
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
