"""What every audit log promises, the fake and the real one alike: nothing is changed unnoticed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from churnguard.store.audit import SqlAuditLog
from churnguard.store.database import open_database, upgrade_database, writing
from churnguard.store.service_tables import audit, audit_day
from churnguard.testing import NOON, FakeAuditLog

KEY = b"the service's own key"
TRIGGERS = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'audit%'"


@pytest.fixture(params=["fake", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def log(request, tmp_path):
    if request.param == "fake":
        yield FakeAuditLog(KEY)
        return
    url = "sqlite:///shop.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
        upgrade_database(url)
    engine = open_database(url, root=tmp_path)
    with writing(engine) as connection:  # somebody who can write the store can also do this
        if request.param == "postgres":
            connection.exec_driver_sql("DROP TRIGGER audit_guard ON audit")
        else:
            for name in connection.exec_driver_sql(TRIGGERS).scalars().all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
    yield SqlAuditLog(engine, lambda: KEY)
    engine.dispose()


def fill(log):
    """Add three entries on each of three days."""
    for number in range(9):
        at = NOON + timedelta(days=number // 3, minutes=number)
        log.append("cli:dana", "key.revoked", at=at, subject="C1", details={"number": number})


def change(log, number, **values):
    """Change an entry as somebody would who can write the store."""
    if isinstance(log, FakeAuditLog):
        log.kept[number - 1] = replace(log.kept[number - 1], **values)
        return
    with writing(log._engine) as connection:
        connection.execute(sa.update(audit).where(audit.c.sequence == number).values(**values))


def drop(log, *, after, days=False):
    if isinstance(log, FakeAuditLog):
        del log.kept[after:]
        log.days = [] if days else log.days
        return
    with writing(log._engine) as connection:
        connection.execute(sa.delete(audit).where(audit.c.sequence > after))
        if days:
            connection.execute(sa.delete(audit_day))


def test_an_untouched_log_is_right(log):
    assert log.verify().broken == ""
    fill(log)
    verdict = log.verify()
    assert (verdict.entries, verdict.days, verdict.broken) == (9, 2, "")
    assert verdict.head == log.entries(after=8)[0].digest.hex()


def test_entries_come_in_order_and_by_pages(log):
    fill(log)
    assert [entry.sequence for entry in log.entries(after=3, limit=2)] == [4, 5]
    assert [dict(entry.details)["number"] for entry in log.entries()] == list(range(9))


def test_a_person_is_known_by_a_keyed_pseudonym_only(log):
    fill(log)
    (entry,) = log.entries(limit=1)
    assert entry.subject == log.pseudonym("C1") != FakeAuditLog(b"other").pseudonym("C1")
    assert "C1" not in str(entry)


@pytest.mark.parametrize("number", [1, 3, 5, 9])
@pytest.mark.parametrize(
    "values", [{"actor": "cli:eve"}, {"action": "key.created"}, {"subject": None}]
)
def test_the_first_changed_entry_is_named(log, number, values):
    fill(log)
    change(log, number, **values)
    verdict = log.verify()
    assert verdict.entries == number - 1
    assert verdict.broken == f"Entry {number} is not what was written: its digest does not fit."


def test_a_missing_entry_is_named(log):
    fill(log)
    if isinstance(log, FakeAuditLog):
        del log.kept[4]
    else:
        with writing(log._engine) as connection:
            connection.execute(sa.delete(audit).where(audit.c.sequence == 5))
    assert log.verify().broken == "Entry 5 is missing: the next one is 6."


def test_a_log_cut_off_before_a_sealed_day_is_noticed(log):
    fill(log)
    drop(log, after=4)
    assert "Entry 6 is missing, with which 2" in log.verify().broken


def test_a_log_cut_off_with_its_days_is_noticed_by_a_noted_end(log):
    """What somebody with the key could do is seen by whoever noted an end elsewhere."""
    from churnguard.jobs.audit import verify_audit
    from churnguard.testing import fake_shop

    fill(log)
    shop, verdict = fake_shop(audit=log), log.verify()
    noted = f"{verdict.entries}:{verdict.head}"
    assert verify_audit(shop, noted=noted).broken == ""
    drop(log, after=4, days=True)
    assert log.verify().broken == ""
    assert verify_audit(shop, noted=noted).broken == "Entry 9 is not the one that was noted."


def test_a_day_sealed_by_another_key_is_noticed(log):
    fill(log)
    other = FakeAuditLog(b"another key")
    fill(other)
    if isinstance(log, FakeAuditLog):
        log.days[0] = replace(log.days[0], signature=other.days[0].signature)
    else:
        with writing(log._engine) as connection:
            change = sa.update(audit_day).where(audit_day.c.last_sequence == 3)
            connection.execute(change.values(signature=other.days[0].signature))
    assert log.verify().broken.startswith("The signature of 2")


def test_a_clock_set_back_does_not_reopen_a_sealed_day(log):
    fill(log)
    log.append("service", "backup.made", at=NOON - timedelta(days=30))
    assert log.verify().broken == ""


@pytest.mark.parametrize("change", [sa.delete(audit), sa.update(audit).values(actor="cli:eve")])
def test_the_store_itself_refuses_to_change_an_entry(tmp_path, change):
    engine = open_database("sqlite:///shop.db", root=tmp_path)
    fill(SqlAuditLog(engine, lambda: KEY))
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), writing(engine) as connection:
        connection.execute(change)
    engine.dispose()
