"""Many rows at once, by the fastest way that each driver has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa


def insert_many(
    connection: sa.Connection,
    table: sa.Table,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    ending: str = "",
) -> None:
    """Insert rows: by COPY in PostgreSQL where nothing else is asked for, else ``executemany``.

    Parameters
    ----------
    columns : sequence of str
        What each row holds, in this order.
    ending : str
        What follows the values, such as ``ON CONFLICT DO NOTHING``.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql" and not ending:
        into = (
            f"{connection.dialect.identifier_preparer.format_table(table)} ({', '.join(columns)})"
        )
        driver: Any = connection.connection.driver_connection
        statement = f"COPY {into} FROM STDIN (FORMAT BINARY)"  # which is not written out and read
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types([_type_of(table.c[name]) for name in columns])
            for row in rows:
                copy.write_row(row)
        return
    sql = insert_sql(table, columns, connection, ending=ending)
    connection.exec_driver_sql(sql, list(rows))


def _type_of(column: sa.Column[Any]) -> str:
    """Return PostgreSQL's own name of a column's type; the store has four."""
    return _TYPES[column.type.python_type]


_TYPES = {int: "int8", float: "float8", str: "text", bytes: "bytea"}


def any_of(
    connection: sa.Engine | sa.Connection, column: str, values: Sequence[Any]
) -> tuple[str, tuple[Any, ...]]:
    """Return the condition that a column is one of some values, and its parameters.

    Examples
    --------
    >>> with sa.create_engine("sqlite://").connect() as connection:
    ...     any_of(connection, "seq", [1, 2])
    ('seq IN (?, ?)', (1, 2))
    """
    if connection.dialect.name == "postgresql":
        return f"{column} = ANY(%b)", (list(values),)  # in binary: far less to escape
    return f"{column} IN ({value_marks(connection, len(values))})", tuple(values)


def insert_sql(
    table: sa.Table, columns: Sequence[str], engine: sa.Engine | sa.Connection, *, ending: str = ""
) -> str:
    """Return an INSERT for the driver's own ``executemany``, which is far faster for many rows."""
    name = engine.dialect.identifier_preparer.format_table(table)
    marks = value_marks(engine, len(columns))
    return f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks}) {ending}".rstrip()


def value_marks(engine: sa.Engine | sa.Connection, number: int) -> str:
    """Return so many placeholders, as the driver writes them."""
    return ", ".join(["?" if engine.dialect.paramstyle == "qmark" else "%s"] * number)
