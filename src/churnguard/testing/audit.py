"""The audit log in memory, with the chain of the real one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from churnguard.store.audit_chain import FIRST, AuditKey, day_of, judge
from churnguard.store.records import AuditDay, AuditEntry, AuditVerdict, Detail


class FakeAuditLog:
    """Keep audit entries in a list.

    Examples
    --------
    >>> from churnguard.testing import NOON
    >>> log = FakeAuditLog()
    >>> log.append("cli:dana", "key.revoked", at=NOON, details={"key_id": "k1"}).sequence
    1
    >>> log.verify().broken
    ''
    """

    def __init__(self, service_key: bytes = b"a fake service's own key") -> None:
        self._key = AuditKey(service_key)
        self.kept: list[AuditEntry] = []
        self.days: list[AuditDay] = []

    def append(
        self,
        actor: str,
        action: str,
        *,
        at: datetime,
        subject: str | None = None,
        details: Mapping[str, Detail] | None = None,
    ) -> AuditEntry:
        """Add an entry; a finished day before it is sealed with a signed digest."""
        before = FIRST
        if self.kept:
            last = self.kept[-1]
            before, at = last.digest, max(at, last.at)
            if day_of(last.at) < day_of(at):
                day, number = day_of(last.at), last.sequence
                signature = self._key.sign(day, number, last.digest)
                self.days.append(AuditDay(day, number, last.digest, signature))
        hidden = None if subject is None else self._key.pseudonym(subject)
        facts = (len(self.kept) + 1, at, actor, action, hidden, details or {})
        digest = self._key.digest(before, AuditEntry(*facts, b""))
        self.kept.append(AuditEntry(*facts, digest))
        return self.kept[-1]

    @contextmanager
    def together(self) -> Iterator[None]:
        """Do nothing: what is in memory is written at once."""
        yield

    def entries(self, *, after: int = 0, limit: int = 1000) -> list[AuditEntry]:
        """Return entries in the order in which they were added, beginning after a sequence."""
        return [entry for entry in self.kept if entry.sequence > after][:limit]

    def pseudonym(self, subject: str) -> str:
        """Return the name under which the log knows a person."""
        return self._key.pseudonym(subject)

    def verify(self) -> AuditVerdict:
        """Recompute every digest and check every day's signature."""
        return judge(self._key, self.kept, self.days)
