"""Several shops behind one address: the credential says whose request it is.

Each shop keeps an app of its own - its store, champion, keys, desk, quotas - and a request reaches
exactly one of them, so no endpoint can mix two shops up. Whose a key is, every shop is asked, in
the same way whether or not one knows it, so that time tells a stranger nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
from collections.abc import AsyncIterator, Sequence
from urllib.parse import parse_qs

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from churnguard.errors import StoreUnavailable
from churnguard.serving.answers import Json
from churnguard.serving.auth import KeyRing
from churnguard.serving.desk.desk import share_desk
from churnguard.serving.desk.sessions import SESSION_COOKIE
from churnguard.serving.door import Door
from churnguard.serving.failed_tries import FailedTries
from churnguard.serving.health.endpoints import missing_of, not_ready
from churnguard.serving.problems import Problem, answer, problem_of
from churnguard.serving.read_again import read_again

LONGEST_SIGN_IN = 16_384
SIGN_IN_SECONDS = 10
_SIGN_IN = "/desk/sign-in"


class ManyShops:
    """An ASGI app that hands each request to the app of the shop it is for.

    Parameters
    ----------
    apps : sequence of FastAPI
        From :func:`churnguard.serving.create_app`, one for each shop; what belongs to no shop,
        such as ``/docs``, and who has no good credential, is answered by the first.
    """

    def __init__(self, apps: Sequence[FastAPI]) -> None:
        self.apps = tuple(apps)
        self._homes: dict[str, FastAPI] = {}
        tries = FailedTries()
        for app in self.apps:
            share_desk(app)
            app.state.keys.share(tries)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or the start and the end of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            await self.apps[0](scope, receive, send)
            return
        request = Request(scope, receive)
        if request.url.path == "/readyz":
            await (await run_in_threadpool(self._ready, request))(scope, receive, send)
            return
        try:
            app, receive = await self._app_for(request, receive)
        except StoreUnavailable as error:
            await self._answer(request, problem_of(error))(scope, receive, send)
            return
        await app(scope, receive, send)

    async def _app_for(self, request: Request, receive: Receive) -> tuple[FastAPI, Receive]:
        """Return whose request it is, by bearer key, desk session, or the sign-in form's key."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return await self._home_of(text, request), receive
        if not request.url.path.startswith("/desk"):
            return self.apps[0], receive
        if request.method == "POST" and request.url.path == _SIGN_IN:
            body, more = await _beginning(receive)
            key = parse_qs(body.decode("utf-8", "replace")).get("key", [""])[0]
            return await self._home_of(key.strip(), request), read_again(body, receive, more=more)
        cookie = request.cookies.get(SESSION_COOKIE, "")
        return next((app for app in self.apps if _opens(app, cookie)), self.apps[0]), receive

    async def _home_of(self, text: str, request: Request) -> FastAPI:
        for app in self.apps:
            ring: KeyRing = app.state.keys
            if ring.trusted(text) is not None:
                return app
        address = request.client.host if request.client else ""
        return await run_in_threadpool(self._look_up, text, address)

    def _look_up(self, text: str, address: str) -> FastAPI:
        """Ask where the key was good last, else every shop; one that is away decides nothing.

        Who has to wait after wrong keys is handed to the first shop, which refuses without a look.
        """
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        known = self._homes.pop(digest, None)
        if known is not None and _may_verify(known, text):
            self._homes[digest] = known
            return known
        if self.apps[0].state.keys.wait(text, address=address):
            return self.apps[0]
        away: StoreUnavailable | None = None
        found: FastAPI | None = None
        for app in self.apps:
            try:
                if _verifies(app, text):
                    found = app
            except StoreUnavailable as error:
                away = error
        if found is None:
            if away is not None:
                raise away
            return self.apps[0]
        self._homes[digest] = found  # only good keys get here, so it stays as small as they are few
        return found

    def _ready(self, request: Request) -> Response:
        """Answer 200 while one shop can be served: the others are told of by their own answers."""
        missing = [missing_of(app.state.door) for app in self.apps]
        ready = sum(not what for what in missing)
        if not ready:
            whole = {item["what"]: item for what in missing for item in what}
            return self._answer(request, not_ready([*whole.values()]))
        return Json({"status": "ready", "shops": len(self.apps), "ready": ready})

    def _answer(self, request: Request, problem: Problem) -> Response:
        return answer(Request({**request.scope, "app": self.apps[0]}), problem)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start every shop's app, and end them all."""
        await receive()
        async with all_alive(self.apps):
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


@contextlib.asynccontextmanager
async def all_alive(apps: Sequence[FastAPI]) -> AsyncIterator[None]:
    """Keep the loops of several apps running for as long as the block runs."""
    async with contextlib.AsyncExitStack() as stack:
        for app in apps:
            await stack.enter_async_context(app.router.lifespan_context(app))
        yield


def session_key_of(root: str, shared: bytes | None) -> bytes | None:
    """Return the key that seals one shop's cookies, so that no shop opens another's.

    Examples
    --------
    >>> session_key_of("/a", b"k" * 32) == session_key_of("/b", b"k" * 32)
    False
    """
    return None if shared is None else hmac.digest(shared, root.encode(), hashlib.sha256)


def _verifies(app: FastAPI, text: str) -> bool:
    door: Door = app.state.door
    return door.shop.keys.verify(text, now=door.shop.clock()) is not None


def _may_verify(app: FastAPI, text: str) -> bool:
    """Tell whether a shop's key is good still, or only the shop itself can tell: it is away."""
    try:
        return _verifies(app, text)
    except StoreUnavailable:
        return True


def _opens(app: FastAPI, cookie: str) -> bool:
    door: Door = app.state.door
    return bool(cookie) and (
        app.state.desk.gate.sealer.open_session(cookie, now=door.shop.clock()) is not None
    )


async def _beginning(receive: Receive) -> tuple[bytes, bool]:
    """Read a sign-in form, or the beginning of a longer or slower body; tell if more follows."""
    body, more = b"", True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SIGN_IN_SECONDS):
            while more and len(body) <= LONGEST_SIGN_IN:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
    return body, more
