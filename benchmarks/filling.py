"""Fills a store with millions of events in minutes, as if they had come in long ago.

The rows are those that the adapter would have written, keys and digests and all; only the way is
shorter. SQLite gets them in one transaction from memory, PostgreSQL by COPY before its indexes are
made anew. Nothing of this is durable until it ends, which is why it is no part of the service. They
count as exported, as old events are, or else a service would export them all when it starts; there
are no files of them, so nobody can be scored in such a store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from churnguard.clock import parse_instant, to_us
from churnguard.store.event_rows import ROW_COLUMNS, keyed_rows

CUSTOMERS = 200_000
NAMES = ("signed_in", "product_viewed", "order_completed", "product_added")
_START = to_us(parse_instant("2026-01-01", "UTC"))
_AT_ONCE = 50_000
_COLUMNS = ", ".join(ROW_COLUMNS)
_TALLY = (
    "INSERT INTO tally (event, events, newest) SELECT event, count(*), max(occurred_at) FROM event "
    "WHERE true GROUP BY event ON CONFLICT (event) "
    "DO UPDATE SET events = excluded.events, newest = excluded.newest"
)
_EXPORTED = (
    "INSERT INTO history_export (first_seq, last_seq, events) "
    "SELECT coalesce((SELECT max(last_seq) FROM history_export), 0) + 1, max(seq), {} FROM event"
)


def fill(url: str, root: Path, first: int, size: int) -> None:
    """Add events so that a store that holds ``first`` of them holds ``size``.

    Parameters
    ----------
    url : str
        The store, whose schema is up to date.
    root : Path
        Against which a SQLite file's path is resolved.
    """
    if size <= first:
        return
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        _fill_sqlite(root / str(address.database), first, size)
    else:
        schema = str(address.query["schema"])
        _fill_postgres(address.set(drivername="postgresql", query={}), schema, first, size)


def row_of(number: int) -> tuple[Any, ...]:
    """Return an event as the store is handed it."""
    at = _START + number * 1_000_000
    money = None if number % 4 == 0 else number % 9_000 / 100
    texts = (f"o{number}", None, None, f"p{number % 997}", None, None, None)
    customer = f"C{number * 7_919 % CUSTOMERS}"
    name = NAMES[number % 4]
    return (f"fill-{number}", customer, name, at, at, "true", money, 1, *texts, None, None)


def _rows(first: int, size: int) -> Iterator[tuple[Any, ...]]:
    for at in range(first, size, _AT_ONCE):
        yield from keyed_rows([row_of(number) for number in range(at, min(at + _AT_ONCE, size))])


def _fill_sqlite(file: Path, first: int, size: int) -> None:
    marks = ", ".join("?" * len(ROW_COLUMNS))
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for pragma in ("synchronous=OFF", "cache_size=-2000000", "cache_spill=OFF"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            f"INSERT INTO event ({_COLUMNS}) VALUES ({marks})", _rows(first, size)
        )
        connection.execute(_TALLY)
        connection.execute(_EXPORTED.format(size - first))
        connection.execute("COMMIT")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def _fill_postgres(address: Any, schema: str, first: int, size: int) -> None:
    import psycopg

    with psycopg.connect(address.render_as_string(hide_password=False)) as connection:
        connection.execute(f"SET search_path TO {schema}")
        connection.execute("SET maintenance_work_mem = '512MB'")
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = %s "
            "AND tablename = 'event' AND indexname <> 'event_pkey'",
            (schema,),
        ).fetchall()
        unique = "SELECT conname FROM pg_constraint WHERE conrelid = 'event'::regclass "
        unique += "AND contype = 'u'"
        constraints = {name for (name,) in connection.execute(unique)}
        for name, _ in indexes:
            what = f"ALTER TABLE event DROP CONSTRAINT {name}" if name in constraints else ""
            connection.execute(what or f"DROP INDEX {name}")
        with connection.cursor().copy(f"COPY event ({_COLUMNS}) FROM STDIN") as copy:
            for row in _rows(first, size):
                copy.write_row(row)
        for name, how in indexes:
            connection.execute(how)
            if name in constraints:
                connection.execute(
                    f"ALTER TABLE event ADD CONSTRAINT {name} UNIQUE USING INDEX {name}"
                )
        connection.execute(_TALLY)
        connection.execute(_EXPORTED.format(size - first))
    with psycopg.connect(address.render_as_string(hide_password=False), autocommit=True) as last:
        last.execute(f"VACUUM ANALYZE {schema}.event")
        last.execute("CHECKPOINT")
