"""Opens the store, and hands out its transactions: what is committed is on the disk.

Writers take the lock when they begin, not in the middle, so that two of them wait instead of
failing; so commits appear in the order of the numbers that their rows got.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from churnguard.errors import StoreError, StoreUnavailable
from churnguard.store.breaker import Breaker
from churnguard.store.checkpoints import after_commit
from churnguard.store.connecting import connect, schema_of
from churnguard.store.disk import demand_writable, disk_error
from churnguard.store.same_file import demand_same_file
from churnguard.store.schema import (
    REVISIONS,
    demand_current,
    demand_durable,
    revision_of,
    upgrade,
)

CONNECTIONS = 8
TIMEOUT_SECONDS = 5.0

_WRITER = 0x43475744  # the advisory lock that lets one writer in at a time, with the schema's name
_LOCK = f"SELECT pg_advisory_xact_lock({_WRITER}, hashtext(current_schema()))"
_JOINED: ContextVar[sa.Connection | None] = ContextVar("joined", default=None)
_BREAKERS: WeakKeyDictionary[sa.Engine, Breaker] = WeakKeyDictionary()


def open_database(
    url: str,
    *,
    root: Path = Path(),
    connections: int = CONNECTIONS,
    timeout: float = TIMEOUT_SECONDS,
    patient: bool = False,
) -> sa.Engine:
    """Connect to a store; one in a SQLite file is made, or brought up to date, where needed.

    Parameters
    ----------
    url : str
        Such as ``sqlite:///data/churnguard.db``, or
        ``postgresql+psycopg://user@host/database?schema=shop_a``.
    root : Path
        The project's folder, against which a relative SQLite path is resolved; the file's own
        folder is made.
    connections : int
        Connections to PostgreSQL at most.
    timeout : float
        Seconds that a statement may take in PostgreSQL.
    patient : bool
        Go on where PostgreSQL cannot be reached yet: it is looked at when it first answers.

    Returns
    -------
    sqlalchemy.Engine

    Raises
    ------
    StoreUnavailable
        If it cannot be reached.
    StoreError
        If it is no ChurnGuard store, was written by a newer ChurnGuard, or is in PostgreSQL and
        waits for ``churnguard db upgrade``.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     engine = open_database("sqlite:///data/shop.db", root=Path(folder))
    ...     engine.dispose()
    ...     (Path(folder) / "data" / "shop.db").is_file()
    True
    """
    engine = connect(url, root, connections=connections, timeout=timeout)
    try:
        if schema_of(engine) is None:
            _bring_up(engine)
        else:
            _look_once(engine)
    except StoreUnavailable:
        if patient:
            return engine
        engine.dispose()
        raise
    except StoreError:
        engine.dispose()
        raise
    return engine


def upgrade_database(url: str, *, root: Path = Path()) -> tuple[str | None, str]:
    """Bring a store's schema up to date, in one transaction: all of it, or nothing.

    Returns
    -------
    tuple of (str or None, str)
        The schema that it had, and the one that it has.

    Raises
    ------
    StoreUnavailable
        If it cannot be reached or written.
    StoreError
        If it is no ChurnGuard store, or a newer ChurnGuard's.
    """
    engine = connect(url, root, connections=1, timeout=TIMEOUT_SECONDS)
    try:
        with _explained(), writing(engine) as connection:
            return upgrade(connection), REVISIONS[-1]
    finally:
        engine.dispose()


def _bring_up(engine: sa.Engine) -> None:
    with _explained():
        with reading(engine) as connection:
            demand_durable(connection)
            current = revision_of(connection) == REVISIONS[-1]
        if not current:
            with writing(engine) as connection:
                upgrade(connection)


def _look_once(engine: sa.Engine) -> None:
    """Look at a store in PostgreSQL now, or else when it first answers; later it may move on."""
    seen: set[str] = set()

    def look(connection: sa.Connection) -> None:
        if not seen:
            demand_current(connection)
            seen.add("the schema")

    sa.event.listen(engine, "begin", look)
    with _explained(), reading(engine) as connection:
        connection.exec_driver_sql("SELECT 1")


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        raise StoreError(
            f"The store cannot be opened: {error.orig}.",
            hint="Check the setting 'store' and that it names a ChurnGuard store.",
        ) from error


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection on which everything read is of one moment.

    Raises
    ------
    StoreUnavailable
        If the store cannot be reached, or does not answer in time.
    """
    outer = _joined_on(engine)
    if outer is not None:
        yield outer
        return
    with _within_reach(engine, "read"), engine.connect() as plain:
        yield plain if schema_of(engine) is None else plain.execution_options(**_SNAPSHOT)


def asked(engine: sa.Engine, sql: str, parameters: Sequence[Any]) -> Sequence[Any]:
    """Return the rows that one statement of the driver's own SQL reads.

    It stands in every request: what one statement reads is of one moment anyway, so where the store
    is a file it needs no transaction, and SQLAlchemy's layers would cost more than the answer.

    Raises
    ------
    StoreUnavailable
        If the store cannot be reached, or does not answer in time.
    """
    if schema_of(engine) is not None or _joined_on(engine) is not None:
        with reading(engine) as connection:
            return connection.exec_driver_sql(sql, tuple(parameters)).all()
    with _within_reach(engine, "read"):
        plain = engine.raw_connection()
        try:
            rows: Sequence[Any] = plain.cursor().execute(sql, parameters).fetchall()
        finally:
            plain.close()
    return rows


_SNAPSHOT = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


@contextmanager
def joined(engine: sa.Engine) -> Iterator[None]:
    """Make one transaction of all that this thread reads and writes in the block."""
    with writing(engine) as connection:
        token = _JOINED.set(connection)
        try:
            yield
        finally:
            _JOINED.reset(token)


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection in a write transaction: all of it is committed to disk, or nothing.

    Raises
    ------
    StoreUnavailable
        If the store cannot be reached, is locked for too long, full, or not writable.
    """
    outer = _joined_on(engine)
    if outer is not None:
        with outer.begin_nested():
            yield outer
        return
    demand_writable(engine)
    with _within_reach(engine, "written"), engine.connect() as plain:
        connection = plain.execution_options(churnguard_writes=True)
        with connection.begin():
            if schema_of(engine) is not None:
                connection.exec_driver_sql(_LOCK)
            yield connection
    after_commit(engine)


def _joined_on(engine: sa.Engine) -> sa.Connection | None:
    outer = _JOINED.get()
    return outer if outer is not None and outer.engine is engine else None


@contextmanager
def _within_reach(engine: sa.Engine, what: str) -> Iterator[None]:
    """Tell of a store that is out of reach, slow, busy or full; spare the next callers the wait."""
    breaker = _BREAKERS.setdefault(engine, Breaker())
    breaker.check()
    demand_same_file(engine)
    away = False
    try:
        yield
    except (OperationalError, PoolTimeout, engine.dialect.loaded_dbapi.OperationalError) as error:
        away = schema_of(engine) is not None and _is_cut(error)
        of_the_disk = disk_error(engine, error)
        if of_the_disk is not None:
            raise of_the_disk from error
        why = "all its connections are in use"
        if not isinstance(error, PoolTimeout):
            why = str(getattr(error, "orig", error)).strip()
        raise StoreUnavailable(f"The store could not be {what}: {why}.") from error
    finally:
        if away:
            breaker.failed()
        else:
            breaker.worked()


def _is_cut(error: Exception) -> bool:
    """Tell whether there is no connection any more, so that others need not try just now."""
    return isinstance(error, OperationalError) and (
        error.connection_invalidated or error.statement is None
    )
