"""Moves what SQLite wrote ahead into the database's file, beside the writers and not within one.

A new event touches pages all over two indexes. Moved often, each page is written once an event;
moved seldom, once for many. But a writer that moves a hundred megabytes keeps everybody waiting
for its commit, so a thread does it, and writers wait only for the little that is left at the end.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from threading import Lock, Thread
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from churnguard.errors import StoreUnavailable
from churnguard.store.disk import disk_error

ENOUGH_BYTES = 256 * 1024 * 1024
"""How long the log of writes grows before it is moved."""

_REST_PAGES = 2_000
_ROUNDS = 6
_PAUSE_SECONDS = 1.0
_BUSY_MS = 100  # how long writers may be kept waiting for those who still read
_SCRUB_SECONDS = 30.0

_MOVERS: WeakKeyDictionary[sa.Engine, Mover] = WeakKeyDictionary()


class Mover:
    """Looks after one file's log of writes.

    Parameters
    ----------
    file : Path
        The database.
    enough : int
        Bytes from which on the log is moved.
    """

    def __init__(self, file: Path, *, enough: int = ENOUGH_BYTES) -> None:
        self._file = file
        self._log = file.with_name(f"{file.name}-wal")
        self._enough = enough
        self._alone = Lock()
        self._rested_at = 0.0

    def look(self, engine: sa.Engine) -> None:
        """Start to move the log if it is long; returns at once."""
        try:
            long = self._log.stat().st_size > self._enough
        except OSError:
            return
        if long and time.monotonic() > self._rested_at and self._alone.acquire(blocking=False):
            Thread(target=self._run, args=(engine,), name="checkpoint", daemon=True).start()

    def _run(self, engine: sa.Engine) -> None:
        try:
            with closing(sqlite3.connect(self._file, isolation_level=None)) as connection:
                move(connection)
        except sqlite3.Error as error:
            disk_error(engine, error)  # remembers a failed sync; all else the next writer finds
        finally:
            self._rested_at = time.monotonic() + _PAUSE_SECONDS
            self._alone.release()


def move(connection: sqlite3.Connection) -> bool:
    """Move a log of writes while others go on writing; tell whether it is empty now."""
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    for _ in range(_ROUNDS):
        _, pages, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if pages - moved < _REST_PAGES:
            break
    return bool(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)


def after_commit(engine: sa.Engine) -> None:
    """Look after the log of a store that was just written."""
    file = engine.url.database
    if engine.dialect.name == "sqlite" and file and file != ":memory:":
        mover = _MOVERS.get(engine)
        if mover is None:
            mover = _MOVERS.setdefault(engine, Mover(Path(file)))
        mover.look(engine)


def empty_log(cursor: sqlite3.Cursor, *, seconds: float = _SCRUB_SECONDS) -> None:
    """Move all of the log and cut it to nothing: what was deleted stands in no copy any more.

    Raises
    ------
    StoreUnavailable
        If somebody went on reading what was, for so many seconds.
    """
    end = time.monotonic() + seconds
    while cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] != 0:
        if time.monotonic() > end:
            raise StoreUnavailable("The store is being read, so its log could not be emptied.")
        time.sleep(0.02)
