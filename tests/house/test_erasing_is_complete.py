"""No table is forgotten when a person is erased, and nobody is named where nobody should be."""

from __future__ import annotations

from churnguard.store import erasing, service_tables, tables


def test_every_table_is_either_erased_from_or_said_to_name_nobody():
    assert service_tables.job.metadata is tables.METADATA
    known = set(erasing.TABLES) | erasing.NEVER
    assert set(tables.METADATA.tables) - known == set()
    assert set(erasing.TABLES) & erasing.NEVER == set()


def test_every_table_with_a_customer_is_erased_from():
    named = {
        name
        for name, table in tables.METADATA.tables.items()
        if "customer_id" in table.columns or "alias_id" in table.columns
    }
    assert named <= set(erasing.TABLES)
