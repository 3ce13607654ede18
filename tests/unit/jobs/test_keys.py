"""Keys are made, rotated and revoked, and the audit log says so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from churnguard.errors import InvalidRequest, KeyNotFound
from churnguard.jobs.audit import ACTIONS, record
from churnguard.jobs.keys import SCOPES, SENSITIVE, create_key, revoke_key, rotate_key
from churnguard.testing import NOON, fake_shop


@pytest.fixture
def now():
    return [NOON]


@pytest.fixture
def shop(now):
    return fake_shop(clock=lambda: now[0])


def test_sensitive_scopes_are_given_only_by_name(shop):
    key, _ = create_key(shop, "crm", None)
    assert set(key.scopes) == set(SCOPES) - set(SENSITIVE)
    assert create_key(shop, "privacy", ["privacy:admin"])[0].scopes == ("privacy:admin",)
    with pytest.raises(InvalidRequest):
        create_key(shop, "crm", ["scores:raed"])


def test_both_keys_are_good_in_the_overlap_and_one_after_it(shop, now):
    """F40: a key is rotated while it is in use."""
    key, old = create_key(shop, "crm", ["scores:read"])
    successor, new = rotate_key(shop, key.key_id, overlap=timedelta(hours=24))
    assert (successor.name, successor.scopes) == ("crm", ("scores:read",))
    assert successor.replaces == key.key_id
    for hours, good in ((0, True), (23, True), (24, False)):
        now[0] = NOON + timedelta(hours=hours)
        assert (shop.keys.verify(old, now=now[0]) is not None) == good
        assert shop.keys.verify(new, now=now[0]) is not None


def test_a_successor_lives_as_long_as_the_key_was_meant_to(shop, now):
    key, _ = create_key(shop, "crm", None, days=90)
    now[0] = NOON + timedelta(days=89, hours=12)
    successor, _ = rotate_key(shop, key.key_id, overlap=timedelta(days=2))
    assert successor.expires_at == now[0] + timedelta(days=90)
    (kept,) = [one for one in list(shop.keys.keys()) if one.key_id == key.key_id]
    assert kept.expires_at == NOON + timedelta(days=90), "an overlap prolongs nothing"


def test_a_key_that_is_gone_is_neither_rotated_nor_revoked(shop, now):
    key, _ = create_key(shop, "crm", None, days=1)
    revoke_key(shop, create_key(shop, "x", None)[0].key_id)
    with pytest.raises(KeyNotFound):
        revoke_key(shop, "none")
    now[0] = NOON + timedelta(days=1)
    with pytest.raises(KeyNotFound):
        rotate_key(shop, key.key_id, overlap=timedelta())


def test_each_act_is_audited_without_the_secret(shop):
    key, text = create_key(shop, "crm", ["desk"], actor="cli:dana")
    successor, _ = rotate_key(shop, key.key_id, overlap=timedelta(hours=1), actor="cli:dana")
    revoke_key(shop, successor.key_id, actor="cli:dana")
    entries = shop.audit.entries()
    assert [entry.action for entry in entries] == ["key.created", "key.rotated", "key.revoked"]
    assert {entry.actor for entry in entries} == {"cli:dana"}
    assert text.rpartition("_")[2] not in str(entries)


def test_an_act_without_a_name_of_its_own_is_refused(shop):
    with pytest.raises(InvalidRequest):
        record(shop, "cli:dana", "key.eaten")
    assert all(sentence.endswith(".") for sentence in ACTIONS.values())


def test_a_key_has_a_name(shop):
    with pytest.raises(InvalidRequest):
        create_key(shop, " ", None)
