"""How far the store is: what caches follow, so that none of them is ever out of date.

Events are numbered, and writers come one after another, so whoever knows the number of the newest
one knows all. What is not a new event raises a counter in ``meta``, in the transaction that changed
it: ``log_epoch`` where the log was rewritten, ``book_version`` where the customer book changed,
``merges`` where an id turned out to be another customer's.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from threading import Lock
from typing import Any

import sqlalchemy as sa

from churnguard.clock import from_us, to_us
from churnguard.store.bulk import value_marks
from churnguard.store.database import reading
from churnguard.store.records import LogPosition
from churnguard.store.tables import event

LOG_EPOCH = "log_epoch"
BOOK_VERSION = "book_version"
MERGES = "merges"

_MOST_TOUCHED = 20_000


def raise_counter(connection: sa.Connection, name: str, *, by: int = 1) -> None:
    """Raise a counter, in the transaction of what it stands for."""
    mark = value_marks(connection, 1)
    connection.exec_driver_sql(
        f"INSERT INTO meta (name, value) VALUES ({mark}, '{by:d}') ON CONFLICT (name) "
        f"DO UPDATE SET value = CAST(CAST(meta.value AS BIGINT) + {by:d} AS TEXT)",
        (name,),
    )


class SqlChanges:
    """How far a store in SQL is.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`churnguard.store.database.open_database`.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._errors = engine.dialect.loaded_dbapi.Error
        self._asking = Lock()
        self._own: Any = None
        mark = value_marks(engine, 1)
        counters = ", ".join(
            f"(SELECT value FROM meta WHERE name = '{name}')"
            for name in (LOG_EPOCH, BOOK_VERSION, MERGES)
        )
        self._position = (
            f"SELECT {counters}, (SELECT max(seq) FROM event), (SELECT max(seq) FROM outcome), "
            f"(SELECT occurred_at FROM event WHERE occurred_at < {mark} AND received_at < {mark} "
            "ORDER BY occurred_at DESC LIMIT 1)"
        )

    def position(self, before: datetime) -> tuple[LogPosition, datetime | None]:
        """Return how far the store is, and the newest event known before an instant."""
        instant = to_us(before)
        epoch, book, merges, events, outcomes, newest = self._ask((instant, instant))
        numbers = (int(number or 0) for number in (book, merges, events, outcomes))
        position = LogPosition(epoch or "", *numbers)
        return position, None if newest is None else from_us(newest)

    def _ask(self, instants: tuple[int, int]) -> tuple[Any, ...]:
        """Ask on a connection of our own where that is a file: every request waits for this."""
        if self._engine.dialect.name == "sqlite":
            with suppress(self._errors), self._asking:
                if self._own is None:
                    self._own = self._engine.raw_connection()
                    self._own.detach()
                row: tuple[Any, ...] = (
                    self._own.cursor().execute(self._position, instants).fetchone()
                )
                return row
        with reading(self._engine) as connection:
            return tuple(connection.exec_driver_sql(self._position, instants).one())

    def touched(self, after: int, through: int) -> frozenset[str] | None:
        """Return whose events are numbered above ``after`` up to ``through``; None if too many."""
        if through - after > _MOST_TOUCHED:
            return None
        query = sa.select(event.c.customer_id).where(event.c.seq > after, event.c.seq <= through)
        with reading(self._engine) as connection:
            return frozenset(connection.execute(query.distinct()).scalars())
