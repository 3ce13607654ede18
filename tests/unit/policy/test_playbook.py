"""A playbook is read whole or refused with file, action and key."""

from __future__ import annotations

import copy

import pytest

from churnguard.errors import PlaybookError
from churnguard.policy.playbook import (
    parse_playbook,
    read_playbook,
    refuse_unknown_signals,
)

TEXT = {"en": "Text about {item}", "he": "טקסט על {item}"}
LEAVE_ALONE = {
    "name": TEXT,
    "description": TEXT,
    "message": TEXT,
    "channel": "none",
    "prevents": 0,
}
MAIL = LEAVE_ALONE | {
    "channel": "email",
    "consent": "email",
    "when": ["orders_total >= 1"],
    "cost": 1,
    "prevents": 0.1,
}


def written(**changes):
    return {"actions": {"leave_alone": dict(LEAVE_ALONE), "mail": copy.deepcopy(MAIL) | changes}}


def test_an_action_is_read_as_it_stands():
    """Every key arrives, and those left out have their stated defaults."""
    mail = parse_playbook(written(priority=3)).by_code["mail"]
    assert (mail.channel, mail.consent, mail.cost, mail.prevents) == ("email", "email", 1.0, 0.1)
    assert (mail.gives_away, mail.cooldown_days, mail.basis, mail.priority) == (0, 0, "prior", 3)
    assert mail.when.signals == {"orders_total"}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"cost": -1}, "cost"),
        ({"cost": "1"}, "cost"),
        ({"cost": float("nan")}, "cost"),
        ({"cost": True}, "cost"),
        ({"prevents": 1.1}, "prevents"),
        ({"gives_away": 2.0}, "gives_away"),
        ({"cooldown_days": -1}, "cooldown_days"),
        ({"channel": "pigeon"}, "channel"),
        ({"consent": "onsite"}, "consent"),
        ({"basis": "guess"}, "basis"),
        ({"priority": 1.5}, "priority"),
        ({"when": "orders_total => 1"}, "when"),
        ({"name": {"en": "Only English"}}, "name"),
        ({"name": {"en": "", "he": "טקסט"}}, "name"),
        ({"message": {"en": "{item}", "he": "{product}"}}, "message"),
        ({"message": {"en": "{item", "he": "{item"}}, "message"),
        ({"message": {"en": "{a.b}", "he": "{a.b}"}}, "message"),
        ({"message": {"en": "{item!r:>10}", "he": "{item!r:>10}"}}, "message"),
        ({"discount": 0.1}, "discount"),
    ],
)
def test_a_bad_key_is_named_with_file_and_action(tmp_path, changes, key):
    """Whoever edits the playbook is led to the place."""
    with pytest.raises(PlaybookError) as refused:
        parse_playbook(written(**changes), file=tmp_path / "playbook.toml")
    message = refused.value.message
    assert f"'{key}" in message
    assert "'mail'" in message
    assert "playbook.toml" in message
    assert refused.value.file == tmp_path / "playbook.toml"


def test_a_missing_key_is_named():
    """What an action must have is asked for by name."""
    tables = written()
    del tables["actions"]["mail"]["prevents"]
    with pytest.raises(PlaybookError, match="'prevents' of the action 'mail'"):
        parse_playbook(tables)


@pytest.mark.parametrize("channel", ["email", "sms", "push"])
def test_a_message_needs_consent_for_its_channel(channel):
    """Nobody can write a playbook that mails without consent."""
    with pytest.raises(PlaybookError, match=f'needs consent = "{channel}"'):
        parse_playbook(written(channel=channel, consent="none"))


@pytest.mark.parametrize(
    "changes", [{"cost": 1.0}, {"prevents": 0.1}, {"when": ["a > 1"]}, {"channel": "onsite"}]
)
def test_leave_alone_does_nothing(changes):
    """Leaving alone is free, prevents nothing, and is open to everybody."""
    tables = written()
    tables["actions"]["leave_alone"] |= changes
    with pytest.raises(PlaybookError, match="leave_alone"):
        parse_playbook(tables)


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({}, "tables"),
        ({"actions": []}, "tables"),
        ({"actions": {"leave_alone": LEAVE_ALONE}, "version": 1}, "version"),
        ({"actions": {"mail": MAIL}}, "leave_alone"),
        ({"actions": {"leave_alone": LEAVE_ALONE, "Win Back": MAIL}}, "Win Back"),
        ({"actions": {"leave_alone": LEAVE_ALONE, "mail": 5}}, "mail"),
    ],
)
def test_the_file_as_a_whole_is_checked(tables, said):
    """A file that is no playbook is refused with what is odd about it."""
    with pytest.raises(PlaybookError, match=said):
        parse_playbook(tables)


def test_a_missing_file_and_a_file_that_is_not_toml_are_told_apart(tmp_path):
    """Both say which file, and what is wrong with it."""
    path = tmp_path / "playbook.toml"
    with pytest.raises(PlaybookError, match="cannot be read: No such file"):
        read_playbook(path)
    path.write_text("[actions", encoding="utf-8")
    with pytest.raises(PlaybookError, match="not valid TOML"):
        read_playbook(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PlaybookError, match="not valid TOML"):
        read_playbook(path)


def test_a_misspelt_signal_is_refused_with_the_nearest_name():
    """A rule that could never hold is a mistake, not a choice."""
    playbook = parse_playbook(written(when=["orders_totl >= 1"]))
    with pytest.raises(PlaybookError, match="'mail' in the playbook names the signal") as refused:
        refuse_unknown_signals(playbook, ["orders_total", "spend_90d"])
    assert refused.value.hint == "Did you mean 'orders_total'?"
    refuse_unknown_signals(playbook, ["orders_totl"])


def test_the_digest_follows_the_content_only():
    """Two playbooks that say the same have the same name; a changed cost has another."""
    same = parse_playbook(written()).digest
    turned = {"actions": dict(reversed(written()["actions"].items()))}
    assert parse_playbook(turned).digest == same
    assert parse_playbook(written(cost=2)).digest != same
