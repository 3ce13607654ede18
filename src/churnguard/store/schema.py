"""Which schema a store has, and how it gets the one that this code needs.

A store in a SQLite file brings itself up to date when it is opened. One in PostgreSQL is brought up
to date on purpose, by ``churnguard db upgrade``: several servers may be using it, and each step
only adds (``migrations/``), so the servers of the version before go on working meanwhile.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from churnguard.errors import StoreError
from churnguard.store.connecting import schema_of

REVISIONS = ("0001", "0002")
"""Every schema there has been, oldest first; the last one is what this code needs."""
_FULL = 2  # what SQLite calls synchronous=FULL
MIGRATIONS = Path(__file__).with_name("migrations")
"""How a store gets from one to the next."""


def revision_of(connection: sa.Connection) -> str | None:
    """Return the schema that the database has, or None when it is empty.

    Raises
    ------
    StoreError
        If it is somebody else's database, or a newer ChurnGuard's.
    """
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


def demand_current(connection: sa.Connection) -> None:
    """Refuse a store in PostgreSQL that this code cannot work with, or that may lose what it says.

    Raises
    ------
    StoreError
        If its schema is missing, old or unknown, or if it does not wait for the disk.
    """
    found = revision_of(connection)
    if found != REVISIONS[-1]:
        has = "is empty" if found is None else f"has schema {found}, and {REVISIONS[-1]} is needed"
        raise StoreError(
            f"The store {has}.", hint="Run 'churnguard db upgrade'; it may be in use meanwhile."
        )
    for setting in ("synchronous_commit", "fsync"):
        if connection.exec_driver_sql(f"SHOW {setting}").scalar() == "off":
            raise StoreError(
                f"PostgreSQL runs with {setting}=off: it could lose what it has confirmed.",
                hint=f"Set {setting}=on for this server, database and role.",
            )


def demand_durable(connection: sa.Connection) -> None:
    """Refuse a SQLite that would not wait for the disk.

    Raises
    ------
    StoreError
        If it does not run with ``synchronous=FULL``.
    """
    if connection.exec_driver_sql("PRAGMA synchronous").scalar() != _FULL:
        raise StoreError("This SQLite does not let itself be told to wait for the disk.")


def upgrade(connection: sa.Connection) -> str | None:
    """Bring the schema up to date within a write transaction; Alembic is imported only for this.

    Returns
    -------
    str or None
        The schema it had before.
    """
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)

    def steps(revision: Any, _context: Any) -> Any:
        return script._upgrade_revs("head", revision)  # noqa: SLF001 # as Alembic's own command

    schema = schema_of(connection.engine)
    if schema is not None:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
    found = revision_of(connection)
    if found != REVISIONS[-1]:  # otherwise another process was quicker
        with EnvironmentContext(config, script, fn=steps) as environment:
            environment.configure(connection=connection, transactional_ddl=True)
            environment.run_migrations()
    return found
