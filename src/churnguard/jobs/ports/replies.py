"""The port for kept replies: what was answered to a write that may be sent again."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from churnguard.store.records import Reply


class ReplyStore(Protocol):
    """Replies to requests with an idempotency key, each kept until it expires."""

    def begin(
        self, key: bytes, fingerprint: bytes, *, now: datetime, patience: float, keep: float
    ) -> Reply | None:
        """Mark a request as running; None if it is now ours to run, else what there is of it.

        Parameters
        ----------
        key : bytes
            Digest of who asks and of the idempotency key.
        fingerprint : bytes
            Digest of the request.
        now : datetime
            When it came in.
        patience : float
            Seconds after which a running request whose process died may be run again.
        keep : float
            Seconds after which the reply is forgotten.
        """

    def together(self) -> AbstractContextManager[None]:
        """Make one transaction of what is written in the block; an error takes all of it back."""

    def finish(self, key: bytes, reply: Reply, *, started: datetime) -> bool:
        """Keep the reply; False if the request has been taken over by another since."""

    def abandon(self, key: bytes, *, started: datetime) -> None:
        """Forget a running request, so that it may be sent again."""

    def forget(self, text: str) -> int:
        """Delete the replies whose body holds a text, such as an erased customer's id."""
