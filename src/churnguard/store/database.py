"""Opens the store: connects, brings the schema up to date, and hands out transactions.

SQLite runs with WAL and ``synchronous=FULL``, so what was committed survives a power cut. Writers
take the lock when they begin, not in the middle, so that two of them wait instead of failing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, OperationalError

from churnguard.errors import StoreError

REVISIONS = ("0001", "0002")
"""Every schema there has been, oldest first; the last one is what this code needs."""

BUSY_TIMEOUT_MS = 10_000
"""How long a SQLite writer waits for another one."""

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
)
_POSTGRES_WRITER = 0x43475744  # the advisory lock that lets one writer of events in at a time


def open_database(url: str, *, root: Path = Path()) -> sa.Engine:
    """Connect to a store, making or upgrading it where needed.

    Parameters
    ----------
    url : str
        SQLAlchemy address, such as ``sqlite:///data/churnguard.db``.
    root : Path
        The project's folder, against which a relative SQLite path is resolved; the file's own
        folder is made.

    Returns
    -------
    sqlalchemy.Engine

    Raises
    ------
    StoreError
        If it cannot be reached, is no ChurnGuard store, or was written by a newer ChurnGuard.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     engine = open_database("sqlite:///data/shop.db", root=Path(folder))
    ...     engine.dispose()
    ...     (Path(folder) / "data" / "shop.db").is_file()
    True
    """
    engine = _connect(url, root)
    try:
        if _revision(engine) != REVISIONS[-1]:
            _upgrade(engine)
    except StoreError:
        engine.dispose()
        raise
    except DatabaseError as error:
        engine.dispose()
        raise StoreError(
            f"The store cannot be opened: {error.orig}.",
            hint="Check the setting 'store' and that the file is a ChurnGuard store.",
        ) from error
    return engine


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection on which everything read is of one moment."""
    with engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection in a write transaction: all of it is committed to disk, or nothing.

    Raises
    ------
    StoreError
        If the store is locked for too long, full, or not writable.
    """
    try:
        with engine.connect() as plain:
            connection = plain.execution_options(churnguard_writes=True)
            with connection.begin():
                if engine.dialect.name == "postgresql":
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_POSTGRES_WRITER})")
                yield connection
    except OperationalError as error:
        raise StoreError(
            f"The store could not be written: {error.orig}.",
            hint="Nothing of this call was stored; it is safe to try again.",
        ) from error


def insert_sql(
    table: sa.Table, columns: Sequence[str], engine: sa.Engine, *, ending: str = ""
) -> str:
    """Return an INSERT for the driver's own ``executemany``, which is far faster for many rows."""
    name = engine.dialect.identifier_preparer.format_table(table)
    marks = value_marks(engine, len(columns))
    return f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks}) {ending}".rstrip()


def value_marks(engine: sa.Engine | sa.Connection, number: int) -> str:
    """Return so many placeholders, as the driver writes them."""
    return ", ".join(["?" if engine.dialect.paramstyle == "qmark" else "%s"] * number)


def _connect(url: str, root: Path) -> sa.Engine:
    try:
        address = make_url(url)
        if address.get_backend_name() == "sqlite" and address.database:
            file = root / address.database
            file.parent.mkdir(parents=True, exist_ok=True)
            address = address.set(database=str(file))
        engine = sa.create_engine(address, pool_pre_ping=address.get_backend_name() != "sqlite")
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(
            f"The store's address cannot be used: {error}.",
            hint="Write sqlite:///data/churnguard.db or postgresql+psycopg://user@host/database.",
        ) from error
    except OSError as error:
        raise StoreError(f"The store's folder cannot be made: {error.strerror}.") from error
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Set durability, and leave it to us when a transaction begins."""
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("churnguard_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _revision(engine: sa.Engine) -> str | None:
    """Return the schema the database has, or None when it is empty."""
    with engine.connect() as connection:
        return _revision_of(connection)


def _revision_of(connection: sa.Connection) -> str | None:
    tables = sa.inspect(connection).get_table_names()
    if "alembic_version" in tables:
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        if found not in REVISIONS:
            raise StoreError(
                f"The store has schema {found}, which this ChurnGuard does not know.",
                hint="It was written by a newer version: upgrade ChurnGuard, then start again.",
            )
        return str(found)
    if tables:
        raise StoreError(
            f"The database is not a ChurnGuard store: it has a table '{tables[0]}'.",
            hint="Name an empty database in the setting 'store'.",
        )
    return None


def _upgrade(engine: sa.Engine) -> None:
    """Bring the schema up to date in one transaction; Alembic is imported only for this."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)

    def steps(revision: Any, _context: Any) -> Any:
        return script._upgrade_revs("head", revision)  # noqa: SLF001 # as Alembic's own command

    with writing(engine) as connection:
        if _revision_of(connection) == REVISIONS[-1]:
            return  # another process was quicker
        with EnvironmentContext(config, script, fn=steps) as environment:
            environment.configure(connection=connection, transactional_ddl=True)
            environment.run_migrations()
