"""One server process: binds first, so that the port is known before the first request."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI

from churnguard.errors import ChurnGuardError
from churnguard.jobs.ports import Shop
from churnguard.serving.early_refusals import with_early_refusals
from churnguard.serving.shop_app import app_for, app_for_many
from churnguard.serving.slow_clients import with_head_limits

_GRACE_SECONDS = 10
_LEAVE_SECONDS = 2.0
_LEAST_FILES = 64
_SPARE_FILES = 48  # the store, the model, the log


class AddressTaken(ChurnGuardError):
    """Nobody can listen at this address, most often because somebody does already."""


class Server:
    """The API and the desk of one shop, or of several.

    Parameters
    ----------
    *shops : Shop
        Opened projects; where there are several, the credential picks the shop.
    host, port : str, int
        Where to listen; port 0 takes a free one.
    open_desk : bool
        Let anybody who reaches the port use the desk; only allowed on loopback.

    Raises
    ------
    AddressTaken
        If nobody can listen there.
    ChurnGuardError
        If an open desk would be reachable from elsewhere.
    """

    def __init__(self, *shops: Shop, host: str, port: int, open_desk: bool = False) -> None:
        if open_desk and host not in ("127.0.0.1", "::1", "localhost"):
            raise ChurnGuardError(
                f"A desk without sign-in is for the demo on this machine, not for {host}.",
                hint="Serve with 'churnguard serve', which asks for an API key.",
            )
        self._socket = _bind(host, port)
        self.url = f"http://{host}:{self._socket.getsockname()[1]}"
        one = len(shops) == 1
        app = app_for(shops[0], open_desk=open_desk) if one else app_for_many(shops)
        config = uvicorn.Config(
            app,
            access_log=False,
            log_config=None,  # or else uvicorn puts its own handlers in the place of ours
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            timeout_keep_alive=30,
            limit_concurrency=_most_connections(),
        )
        config.load()
        protocol = with_head_limits(config.http_protocol_class)
        if isinstance(app, FastAPI):  # of several shops, whose places they are is not known yet
            protocol = with_early_refusals(protocol, app.state.places)
        config.http_protocol_class = protocol
        self._server = _Quiet(config, self._socket)

    def run(self, *, seconds: float | None = None) -> None:
        """Serve until Ctrl-C or SIGTERM, at most so many seconds."""
        if seconds is not None:
            timer = threading.Timer(seconds, self.stop)
            timer.daemon = True
            timer.start()
        if threading.current_thread() is threading.main_thread():
            # What stands now stands until the end: a full collection need not walk through it.
            gc.collect()
            gc.freeze()
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Ask the server to finish what it is answering and stop."""
        self._server.should_exit = True

    @contextmanager
    def in_background(self) -> Iterator[str]:
        """Serve in a thread for as long as the block runs; gives the URL."""
        thread = threading.Thread(target=self.run, daemon=True)
        thread.start()
        try:
            yield self.url
        finally:
            self.stop()
            thread.join(timeout=_GRACE_SECONDS)


class _Quiet(uvicorn.Server):
    """A server that ends without cutting anybody off, and exits with 0: it did as it was asked.

    It takes in whoever has connected so far and stops listening, and for up to two seconds goes on
    answering those who are connected, telling each to leave (``Connection: close``): a connection
    that is closed while idle may lose a request that is on its way. Then it finishes what is under
    way. A second signal waits for nothing.
    uvicorn itself would raise the signal once more at the end: that is told as a death by signal.
    """

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        super().__init__(config)
        self._listener: socket.socket | None = listener
        self._asked_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; the second time, at once."""
        del sig, frame
        self.force_exit = self.should_exit = self._asked_at is not None
        if self._asked_at is None:
            self._asked_at = time.monotonic()
            leave = (b"connection", b"close")
            self.config.encoded_headers.append(leave)
            self.server_state.default_headers = [*self.server_state.default_headers, leave]

    async def on_tick(self, counter: int) -> bool:
        """Tell whether it is time to end; asked every tenth of a second."""
        if self._asked_at is not None:
            await self._stop_listening()
            late = time.monotonic() - self._asked_at > _LEAVE_SECONDS
            self.should_exit |= late or not self.server_state.connections
        return await super().on_tick(counter)

    async def _stop_listening(self) -> None:
        """Close the listener, which would reset those whom the kernel has connected already."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        listener.setblocking(False)
        waiting = []
        with suppress(BlockingIOError):
            while True:
                waiting.append(listener.accept()[0])
        for server in self.servers:
            server.close()
        for connection in waiting:
            connection.setblocking(False)
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Listen to SIGINT and SIGTERM; outside the main thread nobody can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        kinds = (signal.SIGINT, signal.SIGTERM)
        before = {kind: signal.signal(kind, self.handle_exit) for kind in kinds}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)


def _most_connections() -> int | None:
    """Return for how many connections there are file handles; None for any number.

    Raises
    ------
    ChurnGuardError
        If there are too few to serve with.
    """
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return None
    if allowed < _LEAST_FILES + _SPARE_FILES:
        raise ChurnGuardError(
            f"This process may open only {allowed} files, too few to serve with.",
            hint=f"Allow at least {_LEAST_FILES + _SPARE_FILES}, with 'ulimit -n' or LimitNOFILE.",
        )
    return allowed - _SPARE_FILES


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio does not turn Nagle's delay off: it costs a kept connection 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise AddressTaken(
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            hint="Choose another with --port, or 0 for any free one.",
        ) from error
    listener.listen(128)
    return listener
