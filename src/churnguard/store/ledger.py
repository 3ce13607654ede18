"""The real ledger of champions; the database itself refuses to change or delete an entry."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from churnguard.clock import from_us, to_us
from churnguard.store.database import reading, writing
from churnguard.store.records import LedgerEntry
from churnguard.store.tables import ledger


class SqlLedger:
    """Who was champion when, approved by whom.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`churnguard.store.database.open_database`.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

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
        with writing(self._engine) as connection:
            newest = connection.execute(sa.select(sa.func.max(ledger.c.sequence))).scalar()
            entry = LedgerEntry(
                sequence=(newest or 0) + 1,
                at=at,
                version=version,
                bundle=bundle,
                approved_by=approved_by,
                reason=reason,
                trained_until=trained_until,
                labels_through=labels_through,
            )
            connection.execute(sa.insert(ledger).values(**_values(entry)))
        return entry

    def champion(self) -> LedgerEntry | None:
        """Return the newest entry."""
        with reading(self._engine) as connection:
            found = connection.execute(_NEWEST_FIRST.limit(1)).first()
        return None if found is None else _entry(found)

    def history(self) -> list[LedgerEntry]:
        """Return all entries, newest first."""
        with reading(self._engine) as connection:
            return [_entry(row) for row in connection.execute(_NEWEST_FIRST)]


_NEWEST_FIRST = sa.select(ledger).order_by(ledger.c.sequence.desc())
_INSTANTS = ("at", "trained_until", "labels_through")


def _values(entry: LedgerEntry) -> dict[str, object]:
    values = dict(vars(entry))
    return values | {name: to_us(values[name]) for name in _INSTANTS}


def _entry(row: sa.Row[tuple[object, ...]]) -> LedgerEntry:
    values = dict(row._mapping)  # noqa: SLF001 # SQLAlchemy's public name for it
    return LedgerEntry(**values | {name: from_us(values[name]) for name in _INSTANTS})
