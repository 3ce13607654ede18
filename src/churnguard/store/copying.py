"""A copy of the store and its history, of one moment, while both go on being used.

SQLite is copied by its own online backup. A store in PostgreSQL is left to ``pg_dump``, which does
that better than anything else would; the history and the rest are copied all the same.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL

from churnguard.errors import StoreError
from churnguard.store.changes import LOG_EPOCH, raise_counter
from churnguard.store.connecting import schema_of
from churnguard.store.database import open_database, reading, upgrade_database, writing
from churnguard.store.history_files import alone
from churnguard.store.schema import revision_of
from churnguard.store.service_tables import tombstone

STORE_FILE = "store.db"


class StoreCopier:
    """Copies one shop's store.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The store.
    history : Path
        The Parquet history's folder.
    """

    def __init__(self, engine: sa.Engine, history: Path) -> None:
        self._engine = engine
        self._history = history

    def copy(self, target: Path) -> str | None:
        """Copy the store to ``store.db`` and the history to ``events/``, of one moment.

        Returns
        -------
        str or None
            For a store in PostgreSQL, the command that copies it; it is not copied here.
        """
        with alone(self._history):  # nobody exports or rewrites meanwhile
            command = self._copy_store(target / STORE_FILE)
            for file in sorted(self._history.glob("received=*/*.parquet")):
                place = target / "events" / file.parent.name / file.name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)
        return command

    def schema(self) -> str | None:
        """Return the store's schema."""
        with reading(self._engine) as connection:
            return revision_of(connection)

    def tombstones(self) -> list[tuple[str, int, str]]:
        """Return who was erased: keyed digest in hex, when (microseconds), receipt."""
        query = sa.select(tombstone.c.subject, tombstone.c.erased_at, tombstone.c.receipt_id)
        with reading(self._engine) as connection:
            return [
                (row.subject.hex(), row.erased_at, row.receipt_id)
                for row in connection.execute(query.order_by(tombstone.c.erased_at))
            ]

    def _copy_store(self, target: Path) -> str | None:
        schema = schema_of(self._engine)
        if schema is not None:
            url = self._engine.url
            whom: dict[str, Any] = {"username": url.username, "host": url.host, "port": url.port}
            address = str(URL.create("postgresql", **whom, database=url.database))
            options = f"--format=custom --schema={schema} --file={target.with_suffix('.dump')}"
            return f"pg_dump {options} {shlex.quote(address)}"
        with reading(self._engine) as connection:
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            source.rollback()  # SQLite copies outside a transaction
            copy = sqlite3.connect(target)
            try:
                source.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")
            finally:
                copy.close()
        _sync(target)
        return None


def place_store(copy: Path, url: str) -> None:
    """Put a copied store where an address says, whole or not at all, and bring it up to date.

    Its log counts as rewritten, by a number that nobody has seen: whoever remembers what stood in
    it before or after the copy was made, forgets it.

    Raises
    ------
    StoreError
        If there is a store already, or what another one left behind, or the copy is damaged.
    """
    target = Path(url.removeprefix("sqlite:///"))
    if target.exists():
        raise StoreError(f"There is a store at {target} already.", hint="Restore into a new place.")
    left = [f"{target.name}{end}" for end in ("-wal", "-shm", "-journal")]
    if any(target.with_name(name).exists() for name in left):
        raise StoreError(
            f"Beside {target} is what another store left behind ({', '.join(left)}).",
            hint="Stop whoever uses it, and restore into a new place.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.copyfile(copy, temporary)
    connection = sqlite3.connect(temporary)
    try:
        found = connection.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        found = str(error)
    finally:
        connection.close()
    if found != "ok":
        temporary.unlink()
        raise StoreError(f"The copied store is damaged: {found}.", hint="Take another backup.")
    _sync(temporary)
    temporary.replace(target)
    _sync(target.parent)
    upgrade_database(url)
    engine = open_database(url, root=target.parent)
    with writing(engine) as restored:
        raise_counter(restored, LOG_EPOCH, by=1 + secrets.randbelow(2**40))
    engine.dispose()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
