"""Time for whoever dawdles: a head, a body and an answer each have to get across in a while.

The server itself waits for ever for the rest of a head, and for a body; a handful of clients that
send a byte a second would hold every place. It takes heads of any size as well: what is not over
after 64 KiB is not read on.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD_SECONDS = 10.0
"""From the first byte of a head, or from a new connection, to the end of the head."""
MOST_HEAD = 64 * 1024
"""Bytes of a head after which its end must have been seen."""
BODY_SECONDS = 30.0
"""From the end of the head to the end of the body."""
ANSWER_SECONDS = 60.0
"""For the client to take each part of the answer."""

_LEAVE = b"Connection: close\r\nContent-Length: 0\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\n" + _LEAVE
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\n" + _LEAVE


class SlowClients:
    """Give bodies and answers a time.

    Parameters
    ----------
    app : ASGI application
        What answers.
    body_seconds, answer_seconds : float
        How long a whole body, and the taking of each part of an answer, may last.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        body_seconds: float = BODY_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.app = app
        self.body_seconds = body_seconds
        self.answer_seconds = answer_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        end: float | None = loop.time() + self.body_seconds

        async def timed_receive() -> Message:
            nonlocal end
            if end is None:  # the body is here: what comes now is the end of the connection
                return await receive()
            try:
                async with asyncio.timeout_at(end):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"The body took over {self.body_seconds:g} s.") from None
            if not message.get("more_body", False):
                end = None
            return message

        async def timed_send(message: Message) -> None:
            async with asyncio.timeout(self.answer_seconds):
                await send(message)

        await self.app(scope, timed_receive, timed_send)


def with_head_limits(protocol: type[Any], *, seconds: float = HEAD_SECONDS) -> type[Any]:
    """Return uvicorn's protocol with limits for heads: too slow ones get 408, too large ones 431.

    Parameters
    ----------
    protocol : type
        A protocol of uvicorn's, whichever parses HTTP.
    seconds : float
        How long a head may take.
    """

    class Limited(protocol):  # type: ignore[misc]
        _head_timer: asyncio.TimerHandle | None = None
        _head_bytes = 0

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._wait_for_head()

        def data_received(self, data: bytes) -> None:
            before = self.cycle
            super().data_received(data)
            if self.cycle is before and (before is None or before.response_complete):
                self._wait_for_head()
                self._head_bytes += len(data)
                if self._head_bytes > MOST_HEAD:
                    self._hang_up(_TOO_LARGE)
            else:  # its head is here
                self._stop_waiting()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _wait_for_head(self) -> None:
            if self._head_timer is None:
                self._head_timer = self.loop.call_later(seconds, self._hang_up, _TOO_SLOW)

        def _stop_waiting(self) -> None:
            self._head_bytes = 0
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _hang_up(self, told: bytes) -> None:
            if not self.transport.is_closing():
                self.transport.write(told)
                self.transport.close()

    return Limited
