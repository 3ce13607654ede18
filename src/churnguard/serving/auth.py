"""Bearer API keys ``cg_live_<id>_<secret>`` with scopes; the credential also picks the shop.

A key that was found good is trusted for two seconds, so that a busy caller does not cost a look-up
in the store per request; a revoked key therefore stops within that time.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from churnguard.errors import AccessDenied
from churnguard.jobs.keys import SCOPES
from churnguard.jobs.ports import ApiKey, Shop
from churnguard.serving.door import Door

TRUSTED_SECONDS = 2.0
_MOST_TRUSTED = 1024
_CHALLENGE = 'Bearer realm="churnguard"'

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="ApiKey",
    bearerFormat="cg_live_<id>_<secret>",
    description="An API key made with `churnguard keys create`, sent as a bearer token.",
)


class NotAuthenticated(AccessDenied):
    """No API key was sent, or one that is not good (any more)."""

    def __init__(self, message: str, *, hint: str = "", error: str = "") -> None:
        super().__init__(message, hint=hint)
        self.headers = {"WWW-Authenticate": _CHALLENGE + (f', error="{error}"' if error else "")}


class ScopeMissing(AccessDenied):
    """The API key is good but may not do this."""

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"The API key lacks the scope '{scope}'.",
            hint=f"Make a key that may {SCOPES.get(scope, scope)}.",
        )
        challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{scope}"'
        self.headers = {"WWW-Authenticate": challenge}


@dataclass(frozen=True)
class Caller:
    """Who asks, and the shop that the credential opens."""

    key: ApiKey
    door: Door


class KeyRing:
    """Check API keys, trusting a good one for :data:`TRUSTED_SECONDS`.

    Parameters
    ----------
    shop : Shop
        Whose keys they are.
    monotonic : callable
        Seconds that only ever rise.
    """

    def __init__(self, shop: Shop, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._shop = shop
        self._monotonic = monotonic
        self._trusted: dict[bytes, tuple[float, ApiKey]] = {}

    def trusted(self, text: str) -> ApiKey | None:
        """Return the key if it was found good a moment ago; never touches the store."""
        found = self._trusted.get(_digest(text))
        return found[1] if found and self._monotonic() < found[0] else None

    def check(self, text: str) -> ApiKey:
        """Return the key behind a text, asking the store.

        Raises
        ------
        NotAuthenticated
            If the key is wrong, revoked or expired.
        """
        key = self._shop.keys.verify(text, now=self._shop.clock())
        if key is None:
            raise NotAuthenticated(
                "The API key is wrong, revoked or expired.",
                hint="Make a new one with 'churnguard keys create'.",
                error="invalid_token",
            )
        if len(self._trusted) >= _MOST_TRUSTED:
            self._trusted.clear()
        self._trusted[_digest(text)] = (self._monotonic() + TRUSTED_SECONDS, key)
        return key


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def requires(scope: str) -> Callable[..., Awaitable[Caller]]:
    """Return the dependency that lets only keys with a scope in.

    Examples
    --------
    >>> requires("scores:read").__name__
    'caller'
    """

    async def caller(
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> Caller:
        if credentials is None:
            raise NotAuthenticated(
                "No API key was sent.", hint="Send 'Authorization: Bearer cg_live_...'."
            )
        ring: KeyRing = request.app.state.keys
        text = credentials.credentials
        key = ring.trusted(text)
        if key is None:
            key = await run_in_threadpool(ring.check, text)
        if scope not in key.scopes:
            raise ScopeMissing(scope)
        return Caller(key, request.app.state.door)

    return caller


Reader = Annotated[Caller, Depends(requires("scores:read"))]
"""A caller who may read scores."""
Actor = Annotated[Caller, Depends(requires("actions:write"))]
"""A caller who may report outcomes."""
