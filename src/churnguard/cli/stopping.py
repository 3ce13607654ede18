"""SIGTERM and Ctrl-C as a wish that long work can hear between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_asked() -> Iterator[threading.Event]:
    """Give an event that is set by SIGTERM or Ctrl-C; a second one ends the process at once."""
    asked = threading.Event()
    before = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]

    def ask(number: int, frame: FrameType | None) -> None:
        del number, frame
        asked.set()
        restore()

    def restore() -> None:
        for number, handler in before:
            signal.signal(number, handler)

    for number, _ in before:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        restore()
