"""``merge`` says what it would do, does it once it is told to, and is remembered."""

from __future__ import annotations

import pytest

import churnguard
from churnguard.testing import build_events


@pytest.fixture
def guests(garden):
    """A shop in which a guest bought twice and a customer once."""
    shop = churnguard.open_shop(garden, environ={})
    who = ("guest-7", "guest-7", "C1")
    shop.events.append(
        build_events({"event_id": f"e{n}", "customer_id": name} for n, name in enumerate(who))
    )
    return shop


def owners(shop):
    return sorted(shop.events.history()["customer_id"].to_pylist())


def test_without_yes_it_only_says_what_would_happen(run, guests):
    done = run("merge", "guest-7", "C1")
    assert (done.code, done.out) == (2, "")
    assert "Would be moved to C1: 2 events." in done.err
    assert "no way back" in done.err
    assert owners(guests) == ["C1", "guest-7", "guest-7"]
    assert guests.audit.entries() == []


def test_with_yes_it_moves_everything_and_is_audited_without_the_ids(run, guests):
    done = run("merge", "guest-7", "C1", "--yes", "--json")
    assert done.code == 0
    assert done.json == {"alias_id": "guest-7", "customer_id": "C1", "status": "linked"}
    assert owners(guests) == ["C1", "C1", "C1"]
    (entry,) = guests.audit.entries()
    assert (entry.action, entry.details) == ("customers.merged", {"links": 1})
    assert entry.actor.startswith("cli:")
    assert entry.subject == guests.audit.pseudonym("C1")


def test_again_changes_nothing_and_another_customer_is_refused(run, guests):
    assert run("merge", "guest-7", "C1", "--yes").code == 0
    again = run("merge", "guest-7", "C1", "--yes")
    assert (again.code, again.out) == (0, "guest-7 was C1 before; nothing has changed.\n")
    other = run("merge", "guest-7", "C2", "--yes")
    assert other.code == 1
    assert "belongs to somebody else" in other.out
    assert len(guests.audit.entries()) == 1, "what changed nothing is no act"


@pytest.mark.parametrize("words", [("C1", "C1"), ("dana@example.com", "C1")])
@pytest.mark.parametrize("yes", [(), ("--yes",)])
def test_ids_that_cannot_be_merged_are_refused_with_a_hint(run, guests, words, yes):
    done = run("merge", *words, *yes)
    assert done.code == 2
    assert "hint:" in done.err
