"""Writes that may be sent again: the header ``Idempotency-Key``.

It is that of draft-ietf-httpapi-idempotency-key-header-07. An endpoint that writes takes a
:class:`Once` as a parameter and does its work through it::

    def post_thing(caller: Writer, once: MayRepeat, body: ThingRequest) -> Response:
        return once.answer(caller, lambda: Json(make_thing(caller.door.shop, body)))

What the work stores and the reply that is kept are one transaction. A request that fails leaves
nothing behind and may be sent again with the same key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Header, Request
from starlette.responses import Response

from churnguard.errors import ChurnGuardError, InvalidRequest
from churnguard.jobs.ports import Reply, Shop
from churnguard.serving.auth import Caller

KEPT_SECONDS = 86_400.0
"""How long a reply is kept; a key that comes later begins a new request."""
PATIENCE_SECONDS = 60.0
"""After so long a request that is still running is taken for dead and may be run again."""

REPLAYED = "Idempotent-Replayed"
"""The header that marks a kept reply."""

_ABOUT = (
    "Makes the request safe to send again: the same key with the same body has one effect and one "
    "answer, for 24 hours. A string in quotes, best a UUID."
)
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\]){1,255})"')
_BARE = re.compile(r"[A-Za-z0-9_.:+/=-]{1,255}")
_KEPT_HEADERS = ("content-type", "location")


class KeyMissing(InvalidRequest):
    """The write is only taken with an idempotency key."""


class KeyReused(ChurnGuardError):
    """The same idempotency key came with another request."""


class StillRunning(ChurnGuardError):
    """The request with this idempotency key has no answer yet."""

    headers = {"Retry-After": "1"}  # noqa: RUF012 - never changed


class Once:
    """One request, which takes effect once for each idempotency key.

    Parameters
    ----------
    key : str or None
        The key sent, without its quotes.
    fingerprint : bytes
        Digest of method, path, query and body.
    """

    def __init__(self, key: str | None, fingerprint: bytes) -> None:
        self.key = key
        self.fingerprint = fingerprint

    def answer(
        self, caller: Caller, work: Callable[[], Response], *, together: bool = True
    ) -> Response:
        """Do the work and keep its answer, or give the answer that was kept.

        Parameters
        ----------
        caller : Caller
            Who asks; keys of different callers never meet.
        work : callable
            Does the write and returns the answer; called at most once.
        together : bool
            Make the work and its reply one transaction. False for work that takes long or writes
            from other threads, and that may itself be done twice without harm.

        Raises
        ------
        KeyReused
            If the key was used for another request.
        StillRunning
            If the request is still being answered.
        """
        if self.key is None:
            return work()
        shop, now = caller.door.shop, caller.door.shop.clock()
        name = hashlib.sha256(f"{caller.key.key_id}\0{self.key}".encode()).digest()
        known = shop.replies.begin(
            name, self.fingerprint, now=now, patience=PATIENCE_SECONDS, keep=KEPT_SECONDS
        )
        if known is not None:
            return self._again(known)
        try:
            with shop.replies.together() if together else nullcontext():
                response = work()
                self._keep(shop, name, response, now)
        except BaseException:
            shop.replies.abandon(name, started=now)
            raise
        return response

    def _again(self, known: Reply) -> Response:
        if known.fingerprint != self.fingerprint:
            raise KeyReused(
                "This Idempotency-Key was used for another request.",
                hint="Make a new key for each request; keep it only to send the same one again.",
            )
        if known.running:
            raise StillRunning("The first request with this Idempotency-Key is still running.")
        return Response(known.body, known.status, {**known.headers, REPLAYED: "true"})

    def _keep(self, shop: Shop, name: bytes, response: Response, started: datetime) -> None:
        kept = {part: response.headers[part] for part in _KEPT_HEADERS if part in response.headers}
        reply = Reply(self.fingerprint, response.status_code, kept, bytes(response.body))
        if not shop.replies.finish(name, reply, started=started):
            raise StillRunning("Another process has taken over this request.")


def read_key(header: str) -> str:
    """Return the key of an ``Idempotency-Key`` header: a string in quotes; bare ones are taken too.

    Raises
    ------
    InvalidRequest
        If it is neither.

    Examples
    --------
    >>> read_key('"8e03978e-40d5-43dd-bc93-6894a57f9324"'), read_key("order-7")
    ('8e03978e-40d5-43dd-bc93-6894a57f9324', 'order-7')
    """
    quoted = _QUOTED.fullmatch(header.strip())
    if quoted:
        return re.sub(r'\\(["\\])', r"\1", quoted.group(1))
    if _BARE.fullmatch(header.strip()):
        return header.strip()
    raise InvalidRequest(
        "The Idempotency-Key is not a string in quotes of 1 to 255 characters.",
        hint='Send one UUID a request: Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324".',
    )


def once(*, required: bool = False) -> Callable[..., Awaitable[Once]]:
    """Return the dependency that reads the key and the request's fingerprint.

    Examples
    --------
    >>> once(required=True).__name__
    'reader'
    """

    async def reader(
        request: Request,
        idempotency_key: Annotated[str | None, Header(description=_ABOUT)] = None,
    ) -> Once:
        if idempotency_key is None:
            if required:
                raise KeyMissing(
                    "This request needs an Idempotency-Key.",
                    hint="Send one UUID a request, and the same one when you send it again.",
                )
            return Once(None, b"")
        key = read_key(idempotency_key)
        query = str(request.url.query)
        asked = f"{request.method} {request.url.path}?{query}\n".encode()
        return Once(key, hashlib.sha256(asked + await request.body()).digest())

    return reader


MayRepeat = Annotated[Once, Depends(once())]
"""A write that honours an idempotency key."""
MustRepeat = Annotated[Once, Depends(once(required=True))]
"""A write that is refused without one."""
