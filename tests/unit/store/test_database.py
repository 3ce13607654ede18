"""A store is made, recognised or refused; what is committed is on disk; the schema is as stated."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from churnguard.errors import StoreError
from churnguard.store import service_tables, tables
from churnguard.store.database import REVISIONS, open_database, reading, writing

ADDRESS = "sqlite:///data/shop.db"


@pytest.fixture
def engine(tmp_path):
    engine = open_database(ADDRESS, root=tmp_path)
    yield engine
    engine.dispose()


def test_a_store_is_made_with_the_schema_that_the_adapters_state(engine):
    """The migrations lead to exactly the tables of ``tables.py`` and ``service_tables.py``."""
    assert service_tables.job.name in tables.METADATA.tables
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.METADATA) == []


def test_the_newest_revision_is_the_one_that_the_code_needs():
    script = ScriptDirectory(str(Path(tables.__file__).with_name("migrations")))
    known = tuple(step.revision for step in script.walk_revisions())[::-1]
    assert known == REVISIONS


def test_what_is_committed_survives_a_power_cut(engine):
    """Write-ahead log, full synchronisation, foreign keys, a bounded wait: on each connection."""
    with reading(engine) as connection:
        asked = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        values = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked]
    assert values == ["wal", 2, 1, 10_000]


def test_every_table_enforces_its_types(engine):
    with reading(engine) as connection:
        named = connection.exec_driver_sql("SELECT name, strict FROM pragma_table_list").all()
    strict = {name for name, is_strict in named if is_strict}
    assert set(tables.METADATA.tables) <= strict


def test_opening_a_current_store_does_not_import_alembic(tmp_path):
    open_database(ADDRESS, root=tmp_path).dispose()
    code = (
        "import sys; from pathlib import Path;"
        "from churnguard.store.database import open_database;"
        f"open_database({ADDRESS!r}, root=Path({str(tmp_path)!r}));"
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_two_who_open_an_empty_store_at_once_both_get_it(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        engines = list(pool.map(lambda _: open_database(ADDRESS, root=tmp_path), range(4)))
    for engine in engines:
        with reading(engine) as connection:
            assert connection.execute(sa.select(tables.event)).all() == []
        engine.dispose()


def test_a_store_of_a_newer_version_is_refused(tmp_path, engine):
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="schema 9999") as caught:
        open_database(ADDRESS, root=tmp_path)
    assert "upgrade ChurnGuard" in caught.value.hint


def test_a_database_of_somebody_else_is_refused(tmp_path):
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("CREATE TABLE invoices (id INTEGER)")
    connection.close()
    with pytest.raises(StoreError, match="not a ChurnGuard store") as caught:
        open_database("sqlite:///other.db", root=tmp_path)
    assert "invoices" in str(caught.value)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "notes.db").write_text("these are notes, and quite a few of them" * 50)
    with pytest.raises(StoreError, match="cannot be opened"):
        open_database("sqlite:///notes.db", root=tmp_path)


@pytest.mark.parametrize("address", ["nonsense", "nothing://x", "postgresql+nothing://x/y"])
def test_an_address_that_cannot_be_used_says_how_to_write_one(address):
    with pytest.raises(StoreError) as caught:
        open_database(address)
    assert "sqlite:///" in caught.value.hint


def test_an_upgrade_that_fails_leaves_nothing(tmp_path, monkeypatch):
    """Killed half-way, the next start finds an empty database and makes the store."""
    real = sa.Connection.execute

    def fail_late(self, statement, *args, **kwargs):
        if "ledger_no_delete" in str(statement):
            raise KeyboardInterrupt
        return real(self, statement, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(sa.Connection, "execute", fail_late)
        with pytest.raises(KeyboardInterrupt):
            open_database(ADDRESS, root=tmp_path)
    with sqlite3.connect(tmp_path / "data" / "shop.db") as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
    open_database(ADDRESS, root=tmp_path).dispose()


def test_a_transaction_that_fails_leaves_nothing(engine):
    def half() -> None:
        with writing(engine) as connection:
            connection.execute(sa.insert(tables.meta).values(name="a", value="1"))
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError):
        half()
    with reading(engine) as connection:
        assert connection.execute(sa.select(tables.meta)).all() == []


def test_writers_wait_for_each_other(engine):
    """Forty writers in eight threads all get their turn; none fails, none is lost."""

    def add(number):
        with writing(engine) as connection:
            connection.execute(sa.insert(tables.meta).values(name=str(number), value="x"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    with reading(engine) as connection:
        assert (
            connection.execute(sa.select(sa.func.count()).select_from(tables.meta)).scalar() == 40
        )


@pytest.mark.parametrize("sql", ["UPDATE ledger SET version = '2'", "DELETE FROM ledger"])
def test_the_database_itself_refuses_to_change_the_ledger(engine, sql):
    entry = dict.fromkeys(("at", "trained_until", "labels_through"), 0)
    texts = dict.fromkeys(("version", "bundle", "approved_by", "reason"), "x")
    with writing(engine) as connection:
        connection.execute(sa.insert(tables.ledger).values(sequence=1, **entry, **texts))
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), writing(engine) as connection:
        connection.exec_driver_sql(sql)
