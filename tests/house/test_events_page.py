"""``docs/events.md`` names every format, preset, field and reason that there is."""

from __future__ import annotations

import pytest

from churnguard.events.mapping import Mapping, preset, presets
from churnguard.events.readers import endings
from churnguard.events.schema import EVENT_SCHEMA, KNOWN_EVENTS
from churnguard.events.validation import REASONS


@pytest.fixture(scope="module")
def page(repo_root):
    return (repo_root / "docs" / "events.md").read_text(encoding="utf-8")


def test_every_reason_is_explained(page):
    """Those that ChurnGuard gives, and those that a preset's rules give."""
    by_rules = {rule.reason for name in presets() for rule in preset(name).quarantine}
    table = page.partition("## Why a row is quarantined")[2]
    assert {reason for reason in {*REASONS, *by_rules} if f"`{reason}`" not in table} == set()


def test_every_preset_column_event_and_ending_is_named(page):
    names = {*presets(), *EVENT_SCHEMA.names, *KNOWN_EVENTS}
    assert {name for name in names if f"`{name}`" not in page} == set()
    plain = {ending for ending in endings() if not ending.endswith(".gz")}
    assert {ending for ending in plain if f"`{ending}`" not in page} == set()


def test_every_key_of_a_mapping_is_shown(page):
    example = page.partition("```toml")[2].partition("```")[0]
    keys = set(Mapping.model_fields) - {"name", "describes"}
    assert {key for key in keys if key not in example} == set()
