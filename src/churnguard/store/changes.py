"""How far the store is: what caches follow, so that none of them is ever out of date.

Events are numbered, and writers come one after another, so whoever knows the number of the newest
one knows all. What is not a new event raises a counter in ``meta``, in the transaction that changed
it: ``log_epoch`` where the log was rewritten, ``book_version`` where the customer book changed,
``merges`` where an id turned out to be another customer's. Of the last merges it is noted whom they
were about and how the log's epoch moved with them, so that only those customers are forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime
from threading import Lock
from typing import Any

import orjson
import sqlalchemy as sa

from churnguard.clock import from_us, to_us
from churnguard.store.bulk import any_of, value_marks
from churnguard.store.database import reading
from churnguard.store.records import LogPosition
from churnguard.store.same_file import demand_same_file
from churnguard.store.tables import event, meta

LOG_EPOCH = "log_epoch"
BOOK_VERSION = "book_version"
MERGES = "merges"

_MOST_TOUCHED = 20_000
_MERGES_NOTED = 100
_MOST_NAMES = 50  # of one merge: an id with more aliases is nobody's everyday sign-in


def raise_counter(connection: sa.Connection, name: str, *, by: int = 1) -> None:
    """Raise a counter, in the transaction of what it stands for."""
    mark = value_marks(connection, 1)
    connection.exec_driver_sql(
        f"INSERT INTO meta (name, value) VALUES ({mark}, '{by:d}') ON CONFLICT (name) "
        f"DO UPDATE SET value = CAST(CAST(meta.value AS BIGINT) + {by:d} AS TEXT)",
        (name,),
    )


def epoch_of(connection: sa.Connection) -> str:
    """Return which log this is; another one where it was rewritten."""
    return _values(connection, [LOG_EPOCH]).get(LOG_EPOCH, "")


def note_merge(connection: sa.Connection, names: Collection[str], *, since: str) -> None:
    """Raise the counter of merges, and note whom this one is about.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In the transaction of the merge, after all else.
    names : collection of str
        Ids under which something else is known from now on.
    since : str
        The log's epoch before the merge.
    """
    raise_counter(connection, MERGES)
    number = int(_values(connection, [MERGES])[MERGES])
    about = sorted(names) if len(names) <= _MOST_NAMES else None
    note = orjson.dumps([number, since, epoch_of(connection), about]).decode()
    marks = value_marks(connection, 2)
    connection.exec_driver_sql(
        f"INSERT INTO meta (name, value) VALUES ({marks}) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_note_name(number), note),
    )


def forget_merges(connection: sa.Connection) -> None:
    """Forget whom merges were about: the ids of an erased person may be among them."""
    names = [_note_name(number) for number in range(_MERGES_NOTED)]
    connection.execute(sa.delete(meta).where(meta.c.name.in_(names)))


def _note_name(number: int) -> str:
    return f"merge_{number % _MERGES_NOTED}"


def _values(connection: sa.Connection, names: Sequence[str]) -> dict[str, str]:
    some, parameters = any_of(connection, "name", names)
    rows = connection.exec_driver_sql(f"SELECT name, value FROM meta WHERE {some}", parameters)
    return dict(rows.all())


def _merged(
    connection: sa.Connection, last: LogPosition, now: LogPosition
) -> frozenset[str] | None:
    """Return whom merges were about, if they alone made one position's log the other's."""
    numbers = range(last.merges + 1, now.merges + 1)
    if len(numbers) > _MERGES_NOTED:
        return None
    notes = _values(connection, [_note_name(number) for number in numbers]) if numbers else {}
    epoch, names = last.epoch, set[str]()
    for number in numbers:
        noted, since, until, about = orjson.loads(notes.get(_note_name(number), _NOTHING))
        if noted != number or since != epoch or about is None:
            return None
        epoch = until
        names.update(about)
    return frozenset(names) if epoch == now.epoch else None


_NOTHING = "[0, null, null, null]"


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
            demand_same_file(self._engine)
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

    def touched(self, last: LogPosition, now: LogPosition) -> frozenset[str] | None:
        """Return whom new events and merges between two positions are about; None if untold.

        Events are read under the ids that they have by now, so no merge may have come since.
        """
        if now.events - last.events > _MOST_TOUCHED or now.merges < last.merges:
            return None
        query = sa.select(event.c.customer_id).where(
            event.c.seq > last.events, event.c.seq <= now.events
        )
        with reading(self._engine) as connection:
            merged = _merged(connection, last, now)
            if merged is None or epoch_of(connection) != now.epoch:
                return None
            return merged | frozenset(connection.execute(query.distinct()).scalars())
