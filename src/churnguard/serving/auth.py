"""Bearer API keys ``cg_live_<id>_<secret>`` with scopes; the credential also picks the shop.

A key that was found good is trusted for two seconds, so that a busy caller does not cost a look-up
in the store per request; a revoked key therefore stops within that time. When half of it is over,
one request looks again and all others go on, so that a crowd never waits for one look. Wrong keys
make their senders wait (``failed_tries.py``); a key that was good lately is looked at all the same,
so that nobody is locked out by another's tries. While the store does not answer, a key that was
good lately is taken: else no score could be given from what the store said last.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from churnguard.errors import AccessDenied, ChurnGuardError, StoreUnavailable
from churnguard.jobs.keys import SCOPES
from churnguard.jobs.ports import ApiKey, Shop
from churnguard.jobs.timeline_cache import DEGRADED_SECONDS
from churnguard.serving.door import Door
from churnguard.serving.failed_tries import FailedTries
from churnguard.serving.rate_limits import Budgets

TRUSTED_SECONDS = 2.0
LATELY_SECONDS = DEGRADED_SECONDS
"""How long ago a key may have been found good, to be looked at whatever others have tried, and to
be taken while the store does not answer."""
_MOST_TRUSTED = 1024
_MOST_LATELY = 10_000
_CHALLENGE = 'Bearer realm="churnguard"'
_ADMITTED = "churnguard.admitted"

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


class TooManyTries(ChurnGuardError):
    """Too many wrong keys came from here, or were tried for this key."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            "Too many wrong API keys were sent.", hint=f"Send the right one in {seconds} s."
        )
        self.headers = {"Retry-After": str(seconds)}


@dataclass(frozen=True)
class Caller:
    """Who asks, and the shop that the credential opens.

    Attributes
    ----------
    key : ApiKey
        The credential.
    door : Door
        The shop that it opens.
    spend : callable
        Charges the key for so much more than the 1 that every request costs.
    """

    key: ApiKey
    door: Door
    spend: Callable[[int], None] = lambda _: None


class KeyRing:
    """Check API keys, trusting a good one for :data:`TRUSTED_SECONDS`.

    Parameters
    ----------
    shop : Shop
        Whose keys they are.
    tries : FailedTries, optional
        Where wrong keys are counted.
    monotonic : callable
        Seconds that only ever rise.
    """

    def __init__(
        self,
        shop: Shop,
        *,
        tries: FailedTries | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shop = shop
        self._tries = tries or FailedTries(monotonic=monotonic)
        self._monotonic = monotonic
        self._trusted: dict[bytes, tuple[float, ApiKey]] = {}
        self._looks: dict[bytes, float] = {}
        self._lately: dict[bytes, tuple[float, ApiKey]] = {}
        self._used: dict[str, datetime] = {}

    def share(self, tries: FailedTries) -> None:
        """Count wrong keys together with other rings, from now on."""
        self._tries = tries

    def wait(self, text: str, *, address: str = "") -> int:
        """Return for how many seconds a key would be refused unseen; 0: it would be looked at."""
        if self._good_lately(_digest(text)) is not None:
            return 0
        return self._tries.wait(_tried(text, address))

    def trusted(self, text: str) -> ApiKey | None:
        """Return the key if it was found good a moment ago; never touches the store."""
        found = self._trusted.get(_digest(text))
        return found[1] if found and self._monotonic() < found[0] else None

    def claim_look(self, text: str) -> bool:
        """Tell whether a trusted key should be looked at again by now; one caller is told so."""
        digest = _digest(text)
        if self._monotonic() < self._looks.get(digest, math.inf):
            return False
        self._looks[digest] = math.inf
        return True

    def check(self, text: str, *, address: str = "") -> ApiKey:
        """Return the key behind a text, asking the store; see :data:`LATELY_SECONDS`.

        Parameters
        ----------
        text : str
            What was sent.
        address : str
            From where.

        Raises
        ------
        NotAuthenticated
            If the key is wrong, revoked or expired.
        TooManyTries
            If too many wrong ones were sent from there or for that key; whether this one is right
            is not looked at, unless it was right lately.
        StoreUnavailable
            If the store does not answer, and the key was not good lately.
        """
        wait = self.wait(text, address=address)
        if wait:
            raise TooManyTries(wait)
        digest, names = _digest(text), _tried(text, address)
        try:
            key = self._shop.keys.verify(text, now=self._shop.clock())
        except StoreUnavailable:
            known = self._good_lately(digest)
            if known is None:
                raise
            self._trust(digest, known)
            return known
        if key is None:
            for kept in (self._lately, self._trusted, self._looks):
                kept.pop(digest, None)
            self._tries.failed(names)
            raise NotAuthenticated(
                "The API key is wrong, revoked or expired.",
                hint="Make a new one with 'churnguard keys create'.",
                error="invalid_token",
            )
        if len(self._lately) >= _MOST_LATELY:
            self._lately.clear()
        self._lately[digest] = (self._monotonic() + LATELY_SECONDS, key)
        self._trust(digest, key)
        return key

    def _trust(self, digest: bytes, key: ApiKey) -> None:
        """Let a key in without a look for a moment."""
        if len(self._trusted) >= _MOST_TRUSTED:
            self._trusted.clear()
            self._looks.clear()
        now = self._monotonic()
        self._trusted[digest] = (now + TRUSTED_SECONDS, key)
        self._looks[digest] = now + TRUSTED_SECONDS / 2
        self._used[key.key_id] = self._shop.clock()

    def _good_lately(self, digest: bytes) -> ApiKey | None:
        """Return a key that the store called good lately, unless it has expired since."""
        until, key = self._lately.get(digest, (0.0, None))
        if key is None or self._monotonic() >= until:
            return None
        over = key.expires_at is not None and key.expires_at <= self._shop.clock()
        return None if over else key

    def step(self) -> None:
        """Write down when keys were last used; called now and then, never within a request."""
        used, self._used = self._used, {}
        if used:
            try:
                self._shop.keys.mark_used(used)
            except ChurnGuardError:
                self._used = used | self._used
                raise


def _tried(text: str, address: str) -> list[str]:
    """Return the names under which a wrong try counts: where it came from, and for which key."""
    key_id = text.removeprefix("cg_live_").partition("_")[0][:64]
    return [f"address {address}", f"key {key_id}"]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True)
class Gate:
    """Lets only keys with a scope in, and charges them.

    Attributes
    ----------
    scope : str
        What the key has to allow.
    policy : str
        The quota that is charged; see :mod:`churnguard.serving.rate_limits`.
    """

    scope: str
    policy: str = "default"

    async def caller(
        self,
        request: Request,
        _: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)] = None,
    ) -> Caller:
        """Return who asks; as a dependency it tells the reference which key is wanted."""
        return await self.admit(request)

    async def admit(self, request: Request) -> Caller:
        """Return who asks; a request that asks twice is looked at, and charged, once.

        Raises
        ------
        NotAuthenticated
            If there is no good key.
        ScopeMissing
            If the key may not do this.
        RateLimited
            If its quota is spent.
        """
        gate, known = request.scope.get(_ADMITTED, (None, None))
        if known is not None and gate == self:
            return known  # type: ignore[no-any-return]
        caller = await self._caller(request)
        request.scope[_ADMITTED] = self, caller
        return caller

    async def _caller(self, request: Request) -> Caller:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            raise NotAuthenticated(
                "No API key was sent.", hint="Send 'Authorization: Bearer cg_live_...'."
            )
        state = request.app.state
        ring: KeyRing = state.keys
        key = ring.trusted(text)
        if key is None or ring.claim_look(text):
            address = request.client.host if request.client else ""
            key = await run_in_threadpool(ring.check, text, address=address)
        if self.scope not in key.scopes:
            raise ScopeMissing(self.scope)
        budgets: Budgets = state.budgets
        told = request.scope.setdefault("churnguard.headers", {})

        def spend(cost: int) -> None:
            if cost > 0:
                told.update(budgets.charge(self.policy, key.key_id, cost))

        spend(1)
        return Caller(key, state.door, spend)


def requires(scope: str, *, policy: str = "default") -> Callable[..., Awaitable[Caller]]:
    """Return the dependency that lets only keys with a scope in, and charges them.

    Parameters
    ----------
    scope, policy : str
        See :class:`Gate`.

    Examples
    --------
    >>> requires("scores:read").__name__
    'caller'
    """
    return Gate(scope, policy).caller


Reader = Annotated[Caller, Depends(requires("scores:read"))]
"""A caller who may read scores."""
Actor = Annotated[Caller, Depends(requires("actions:write"))]
"""A caller who may report outcomes."""
Sender = Annotated[Caller, Depends(requires("events:write", policy="events"))]
"""A caller who may send events."""
Observer = Annotated[Caller, Depends(requires("metrics:read"))]
"""A caller who may read the service's metrics."""
