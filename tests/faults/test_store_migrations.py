"""A migration is killed, run twice, or runs under the feet of a server of the version before."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from churnguard.store.connecting import connect
from churnguard.store.database import open_database, upgrade_database, writing
from churnguard.store.schema import MIGRATIONS, REVISIONS

KILLED = """
import os, sys
import alembic.runtime.environment, psycopg
import sqlalchemy as sa
from churnguard.store.database import upgrade_database

def die_at(left):
    @sa.event.listens_for(sa.Engine, "before_cursor_execute")
    def count(connection, cursor, statement, *rest):
        nonlocal left
        left -= 1
        if not left:
            os._exit(9)
    upgrade_database(sys.argv[1])
    os._exit(0)

for line in sys.stdin:
    if os.fork() == 0:
        die_at(int(line))
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""
BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=BOTH)
def url(request, tmp_path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shop.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def engine(url, tmp_path) -> Iterator[sa.Engine]:
    engine = connect(url, tmp_path, connections=2, timeout=5)
    yield engine
    engine.dispose()


def _migrate(engine: sa.Engine, revision: str) -> None:
    """Run one step by itself, in a transaction."""
    step = ScriptDirectory(str(MIGRATIONS)).get_revision(revision)
    with writing(engine) as connection:
        schema = engine.get_execution_options().get("churnguard_schema")
        if schema:
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        with Operations.context(MigrationContext.configure(connection)):
            step.module.upgrade()


def _columns(engine: sa.Engine) -> dict[tuple[str, str], tuple[str, bool, str | None]]:
    with engine.connect() as connection:
        look = sa.inspect(connection)
        return {
            (table, column["name"]): (
                str(column["type"]),
                column["nullable"],
                column["default"],
            )
            for table in look.get_table_names()
            for column in look.get_columns(table)
        }


def _uniques(engine: sa.Engine, table: str) -> set[str]:
    with engine.connect() as connection:
        look = sa.inspect(connection)
        found = {str(one["column_names"]) for one in look.get_unique_constraints(table)}
        return found | {
            str(one["column_names"]) for one in look.get_indexes(table) if one["unique"]
        }


def test_each_step_only_adds(engine):
    """F36: the code of the version before goes on working, so that both may run at once.

    No column goes or changes, a new one may be left out, nothing new must be unique.
    """
    _migrate(engine, REVISIONS[0])
    for revision in REVISIONS[1:]:
        before = _columns(engine)
        tables = {table for table, _ in before}
        unique = {table: _uniques(engine, table) for table in tables}
        _migrate(engine, revision)
        after = _columns(engine)
        assert {key: after.get(key) for key in before} == before
        for (table, column), (_, nullable, default) in after.items():
            if table in tables and (table, column) not in before:
                assert nullable or default is not None, f"{table}.{column} must be given"
        assert {table: _uniques(engine, table) for table in tables} == unique


@pytest.fixture
def killed_at(url) -> Iterator[Callable[[int], bool]]:
    """Migrate in processes that die at a statement, and tell whether there was such a one."""
    command = [sys.executable, "-W", "ignore", "-c", KILLED, url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as starter:

        def killed(statement: int) -> bool:
            starter.stdin.write(f"{statement}\n")
            starter.stdin.flush()
            code = int(starter.stdout.readline())
            assert code in (0, 9)
            return code == 9

        yield killed


def _all_of(engine: sa.Engine) -> tuple[object, ...]:
    """Return which schema a store says that it has, its columns, and what it knows of itself."""
    with engine.connect() as connection:
        tables = sa.inspect(connection).get_table_names()
        rows = [
            connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1").all()
            for table in ("alembic_version", "meta")
            if table in tables
        ]
    return _columns(engine), str(rows)


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("begun", [None, REVISIONS[0]])
def test_a_migration_killed_at_any_statement_leaves_the_store_as_it_was(
    url, engine, killed_at, begun
):
    """F37: from nothing, and from a store of the version before with a row in it."""
    if begun:
        _made_by_the_first(engine)
    before, statement = _all_of(engine), 1
    while killed_at(statement):
        assert _all_of(engine) == before, f"killed at statement {statement}"
        statement += 1
    assert statement > 20
    assert _all_of(engine) != before
    assert upgrade_database(url) == (REVISIONS[-1], REVISIONS[-1])


def _made_by_the_first(engine: sa.Engine) -> None:
    """Make a store as the first version left it, with something in it."""
    _migrate(engine, REVISIONS[0])
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{REVISIONS[0]}')")
        connection.exec_driver_sql("INSERT INTO meta (name, value) VALUES ('shop', 'a')")


@pytest.mark.parametrize("statement", [1, 5, 23, 60])
def test_a_migration_that_is_killed_leaves_nothing_half_done(url, killed_at, statement):
    """F37: killed at a statement, the store is as it was; run again, it is made; and once more."""
    assert killed_at(statement)
    assert upgrade_database(url) == (None, REVISIONS[-1])
    assert upgrade_database(url) == (REVISIONS[-1], REVISIONS[-1])
    open_database(url).dispose()
