"""The port for the audit log: who did what, and proof that nobody has changed it since."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from churnguard.store.records import AuditEntry, AuditVerdict, Detail


class AuditLog(Protocol):
    """An append-only log; each entry's digest covers the entry before it."""

    def append(
        self,
        actor: str,
        action: str,
        *,
        at: datetime,
        subject: str | None = None,
        details: Mapping[str, Detail] | None = None,
    ) -> AuditEntry:
        """Add an entry; a finished day before it is sealed with a signed digest.

        Parameters
        ----------
        actor : str
            Who did it: ``key:<id>``, ``cli:<user>``, ``desk:<id>`` or ``service``.
        action : str
            What was done, such as ``key.revoked``.
        at : datetime
            When.
        subject : str, optional
            The person concerned, by customer id; only a keyed pseudonym is kept.
        details : mapping, optional
            Further facts, none of them personal.
        """

    def together(self) -> AbstractContextManager[None]:
        """Make one transaction of an act and its entry; an error takes both back."""

    def entries(self, *, after: int = 0, limit: int = 1000) -> list[AuditEntry]:
        """Return entries in the order in which they were added, beginning after a sequence."""

    def pseudonym(self, subject: str) -> str:
        """Return the name under which the log knows a person."""

    def verify(self) -> AuditVerdict:
        """Recompute every digest and check every day's signature."""
