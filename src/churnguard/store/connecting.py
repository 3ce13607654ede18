"""From a store's address to an engine: the file or the server, and how long it may keep us waiting.

SQLite runs with WAL and ``synchronous=FULL``, so what was committed survives a power cut. In
PostgreSQL a shop is a schema, ``?schema=shop_a``, so that many shops share one database.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from churnguard.errors import StoreError

BUSY_TIMEOUT_MS = 10_000
"""How long a SQLite writer waits for another one."""

POOL_TIMEOUT_SECONDS = 1.0
"""How long a call waits for a free connection before it is refused."""

CONNECT_TIMEOUT_SECONDS = 3
"""How long a PostgreSQL server may take to let us in."""

_PRAGMAS = (
    "PRAGMA page_size=2048",  # of a new file; a random page is written for every new event
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA wal_autocheckpoint=262144",  # 512 MB; usually checkpoints.py has moved it long before
)
_HOW_TO_WRITE_ONE = (
    "Write sqlite:///data/churnguard.db or "
    "postgresql+psycopg://user@host/database?schema=shop; PostgreSQL needs the extra [postgres]."
)
_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_IDLE_MINUTES = 5  # a client that vanished within a transaction frees its locks after so long


def connect(url: str, root: Path, *, connections: int, timeout: float) -> sa.Engine:
    """Return an engine for an address; nothing is opened yet.

    Parameters
    ----------
    url : str
        SQLAlchemy address.
    root : Path
        Against which a relative SQLite path is resolved.
    connections : int
        Connections to PostgreSQL at most.
    timeout : float
        Seconds that a statement may take in PostgreSQL.

    Raises
    ------
    StoreError
        If the address cannot be used.
    """
    try:
        address = make_url(url)
        if address.drivername in ("postgresql", "postgresql+psycopg"):
            return _postgres(address, connections=connections, timeout=timeout)
        if address.get_backend_name() == "sqlite":
            return _sqlite(address, root)
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ModuleNotFoundError) as error:
        message = f"The store's address cannot be used: {error}."
        raise StoreError(message, hint=_HOW_TO_WRITE_ONE) from error
    except OSError as error:
        raise StoreError(f"The store's folder cannot be made: {error.strerror}.") from error
    raise StoreError(f"A store cannot be in {address.drivername}.", hint=_HOW_TO_WRITE_ONE)


def schema_of(engine: sa.Engine) -> str | None:
    """Return the PostgreSQL schema that a store is; None for SQLite."""
    return engine.get_execution_options().get("churnguard_schema")


def _sqlite(address: URL, root: Path) -> sa.Engine:
    if address.database and address.database != ":memory:":
        file = root / address.database
        file.parent.mkdir(parents=True, exist_ok=True)
        address = address.set(database=str(file))
    engine = sa.create_engine(address)
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


def _postgres(address: URL, *, connections: int, timeout: float) -> sa.Engine:
    query = dict(address.query)
    schema = query.pop("schema", "public")
    if not isinstance(schema, str) or not _SCHEMA_NAME.fullmatch(schema):
        raise StoreError(
            f"'{schema}' cannot be the store's schema.",
            hint="Use lower-case letters, digits and underscores, such as ?schema=shop_a.",
        )
    settings = {
        "search_path": schema,
        "statement_timeout": int(timeout * 1000),
        "idle_in_transaction_session_timeout": _IDLE_MINUTES * 60_000,
        "tcp_keepalives_idle": 30,
    }
    own = query.pop("options", "")
    options = " ".join([str(own), *(f"-c {name}={value}" for name, value in settings.items())])
    engine = sa.create_engine(
        address.set(drivername="postgresql+psycopg", query=query),
        connect_args={
            "options": options.strip(),
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "application_name": "churnguard",
        },
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        pool_pre_ping=True,
        pool_use_lifo=True,
        execution_options={"churnguard_schema": schema},
    )
    sa.event.listen(engine, "do_connect", _bounded(timeout + 1.0))
    return engine


def _bounded(seconds: float) -> Callable[..., Any]:
    """Return how to connect so that no answer is waited for longer than so many seconds.

    The server's own ``statement_timeout`` comes first; this one is for a server, or a network, that
    says nothing at all any more.
    """
    import psycopg

    class Bounded(psycopg.Connection[Any]):
        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return super().wait(gen, interval, timeout or seconds)
            except psycopg.OperationalError:
                if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                    self.pgconn.finish()  # nobody knows what it would still answer
                raise

        def __del__(self, *_: Any) -> None:
            self.pgconn.finish()  # whoever drops an engine drops its connections; no need to warn

    def make(_dialect: Any, _record: Any, args: Any, parameters: Any) -> Any:
        return Bounded.connect(*args, **parameters)

    return make
