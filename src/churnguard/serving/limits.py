"""What a request may be: for a host we know, with a body of bounded size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from churnguard.serving.problems import Problem, answer

LARGEST_BODY = 1_000_000
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class BodyLimit:
    """Refuse bodies of more than so many bytes, announced or streamed.

    Parameters
    ----------
    largest : int
        Bytes.
    larger : mapping of str to int
        Bytes of paths on which more may come.
    """

    def __init__(
        self, app: ASGIApp, largest: int = LARGEST_BODY, larger: Mapping[str, int] | None = None
    ) -> None:
        self.app = app
        self.largest = largest
        self.larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        largest = self.larger.get(scope["path"], self.largest)
        announced = header_of(scope, b"content-length") or b"0"
        if not announced.isdigit() or int(announced[:20]) > largest:
            await answer(Request(scope), _too_large(largest))(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > largest:
                raise HTTPException(413, _too_large(largest).detail)
            return message

        await self.app(scope, counted, send)


def _too_large(largest: int) -> Problem:
    return Problem(
        413,
        "body-too-large",
        "The body is too large",
        f"A body may have {largest} bytes.",
        hint="Send it in smaller parts.",
        headers={"Connection": "close"},
    )


class KnownHosts:
    """Refuse requests for a host that we are not; a wall against DNS rebinding.

    Parameters
    ----------
    hosts : sequence of str
        Names without port; ``*.example.com`` stands for every name below, ``*`` for all.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app = app
        self.hosts = tuple(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or self._known(scope):
            await self.app(scope, receive, send)
            return
        problem = Problem(
            421,
            "wrong-host",
            "This server does not answer for that host",
            "The Host header names a host that is not served here.",
            hint="Use the address under which ChurnGuard is served, or allow this host.",
        )
        await answer(Request(scope), problem)(scope, receive, send)

    def _known(self, scope: Scope) -> bool:
        if "*" in self.hosts:
            return True
        host = host_of(header_of(scope, b"host").decode("latin-1"))
        return any(
            rule == host or (rule.startswith("*.") and host.endswith(rule[1:]))
            for rule in self.hosts
        )


def header_of(scope: Scope, wanted: bytes) -> bytes:
    """Return a header of a request, the last where there are several; empty where there is none."""
    found = b""
    for name, value in scope["headers"]:
        if name == wanted:
            found = value
    return found


def host_of(authority: str) -> str:
    """Return the host of ``host:port``, in lower case.

    Examples
    --------
    >>> host_of("Localhost:8000"), host_of("[::1]:8000"), host_of("[::1]")
    ('localhost', '[::1]', '[::1]')
    """
    if authority.startswith("["):
        return authority.partition("]")[0].lower() + "]"
    return authority.partition(":")[0].lower()
