"""One server process: binds first, so that the port is known before the first request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from churnguard.errors import ChurnGuardError
from churnguard.jobs.ports import Shop
from churnguard.serving.shop_app import app_for, app_for_many

_GRACE_SECONDS = 10


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
        config = uvicorn.Config(
            app_for(shops[0], open_desk=open_desk) if len(shops) == 1 else app_for_many(shops),
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            timeout_keep_alive=30,
        )
        self._server = uvicorn.Server(config)

    def run(self, *, seconds: float | None = None) -> None:
        """Serve until Ctrl-C or SIGTERM, at most so many seconds."""
        if seconds is not None:
            timer = threading.Timer(seconds, self.stop)
            timer.daemon = True
            timer.start()
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


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
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
