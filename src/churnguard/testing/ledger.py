"""A ledger of champions in memory."""

from __future__ import annotations

from datetime import datetime

from churnguard.jobs.ports import LedgerEntry


class FakeLedger:
    """Keep the ledger in a list.

    Examples
    --------
    >>> FakeLedger().champion() is None
    True
    """

    def __init__(self) -> None:
        self._entries: list[LedgerEntry] = []

    def append(
        self,
        *,
        at: datetime,
        version: str,
        bundle: str,
        approved_by: str,
        reason: str,
        trained_until: datetime,
        labels_through: datetime,
    ) -> LedgerEntry:
        """Add an entry; it becomes the champion at once."""
        entry = LedgerEntry(
            sequence=len(self._entries) + 1,
            at=at,
            version=version,
            bundle=bundle,
            approved_by=approved_by,
            reason=reason,
            trained_until=trained_until,
            labels_through=labels_through,
        )
        self._entries.append(entry)
        return entry

    def champion(self) -> LedgerEntry | None:
        """Return the newest entry."""
        return self._entries[-1] if self._entries else None

    def history(self) -> list[LedgerEntry]:
        """Return all entries, newest first."""
        return self._entries[::-1]
