"""Kept replies in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from churnguard.jobs.ports import Reply


@dataclass
class _Kept:
    fingerprint: bytes
    started: datetime
    expires: datetime
    reply: Reply | None = None


class FakeReplyStore:
    """Keep replies in a dictionary; what a block writes is not taken back.

    Examples
    --------
    >>> from churnguard.testing import NOON
    >>> replies = FakeReplyStore()
    >>> replies.begin(b"key", b"print", now=NOON, patience=60, keep=3600) is None
    True
    >>> replies.begin(b"key", b"print", now=NOON, patience=60, keep=3600).running
    True
    """

    def __init__(self) -> None:
        self._kept: dict[bytes, _Kept] = {}
        self._lock = threading.Lock()

    def begin(
        self, key: bytes, fingerprint: bytes, *, now: datetime, patience: float, keep: float
    ) -> Reply | None:
        """Mark a request as running; None if it is now ours to run, else what there is of it."""
        with self._lock:
            found = self._kept.get(key)
            if found and now < found.expires:
                apart = abs(now - found.started)
                stuck = found.reply is None and apart >= timedelta(seconds=patience)
                if not stuck:
                    return found.reply or Reply(found.fingerprint, running=True)
            self._kept[key] = _Kept(fingerprint, now, now + timedelta(seconds=keep))
            return None

    @contextmanager
    def together(self) -> Iterator[None]:
        """Do nothing: what is in memory is written at once."""
        yield

    def finish(self, key: bytes, reply: Reply, *, started: datetime) -> bool:
        """Keep the reply; False if the request has been taken over by another since."""
        with self._lock:
            found = self._kept.get(key)
            if found is None or found.started != started or found.reply is not None:
                return False
            found.reply = reply
            return True

    def abandon(self, key: bytes, *, started: datetime) -> None:
        """Forget a running request, so that it may be sent again."""
        with self._lock:
            found = self._kept.get(key)
            if found and found.started == started and found.reply is None:
                del self._kept[key]

    def forget(self, text: str) -> int:
        """Delete the replies whose body holds a text."""
        named = [
            key
            for key, kept in self._kept.items()
            if kept.reply and text.encode() in kept.reply.body
        ]
        for key in named:
            del self._kept[key]
        return len(named)
