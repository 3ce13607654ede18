"""A TCP proxy that misbehaves on command: between a server and its database, or its callers.

Threads and plain sockets, so that it can be read in a minute; each connection has two threads.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Literal, Self

Mode = Literal["pass", "delay", "blackhole", "refuse", "cut"]
"""``delay`` holds each answer back, ``blackhole`` swallows everything, ``refuse`` takes no new
connection, ``cut`` resets those that there are as well."""

_CHUNK = 65_536


class Proxy:
    """Listens on a free port of 127.0.0.1 and hands on to another.

    Parameters
    ----------
    port : int
        Where to hand on to, on 127.0.0.1.
    seconds : float
        How long ``delay`` holds an answer back.
    """

    def __init__(self, port: int, *, seconds: float = 30.0) -> None:
        self._target = port
        self._seconds = seconds
        self._mode: Mode = "pass"
        self._changed = threading.Condition()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._serving: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.set("cut")
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        self._listener.close()
        for thread in self._serving:
            thread.join(timeout=5)

    def set(self, mode: Mode) -> None:
        """Begin to behave in another way, at once, for the connections that there are too."""
        with self._changed:
            self._mode = mode
            self._changed.notify_all()
            pairs = list(self._pairs)
        if mode == "cut":
            for pair in pairs:
                for end in pair:
                    _reset(end)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                if self._mode in ("refuse", "cut"):
                    _reset(caller)
                    continue
                thread = threading.Thread(target=self._serve, args=(caller,), daemon=True)
                self._serving.append(thread)
                thread.start()

    def _serve(self, caller: socket.socket) -> None:
        try:
            target = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            target.settimeout(None)
        except OSError:
            _reset(caller)
            return
        with self._changed:
            self._pairs.append((caller, target))
        back = threading.Thread(
            target=self._pump, args=(target, caller), kwargs={"answers": True}, daemon=True
        )
        back.start()
        self._pump(caller, target, answers=False)
        back.join()
        with self._changed:
            self._pairs.remove((caller, target))
        caller.close()
        target.close()

    def _pump(self, source: socket.socket, sink: socket.socket, *, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                with self._changed:  # in a black hole, what came waits until it is none any more
                    self._changed.wait_for(lambda: self._mode != "blackhole")
                if answers and self._mode == "delay":
                    time.sleep(self._seconds)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _reset(end: socket.socket) -> None:
    """Close with a RST, as a machine that lost its memory does."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)
    end.close()
