"""``models history`` answers in a new project too, and what cannot be done is said with a hint."""

from __future__ import annotations


def test_history_of_a_day_without_a_champion(run, garden):
    done = run("models", "history", "--at", "2026-05-03")
    assert (done.code, done.out) == (0, "There was no champion then.\n")
    assert run("models", "history").out == "There was no champion yet.\n"
    assert run("models", "history", "--json").json == []


def test_history_of_no_day_is_refused(run, garden):
    done = run("models", "history", "--at", "yesterday")
    assert done.code == 2
    assert "'yesterday' is not a date" in done.err


def test_a_rollback_needs_a_name_and_a_champion(run, garden):
    assert run("models", "rollback").code == 2
    done = run("models", "rollback", "--approved-by", "Dana")
    assert done.code == 1
    assert "nothing to go back to" in done.err
    assert "models history" in done.err


def test_a_version_that_was_never_in_the_shadow_is_named(run, garden):
    done = run("models", "shadow", "7")
    assert done.code == 1
    assert "score --shadow 7" in done.err


def test_a_backtest_without_events_says_what_to_do(run, garden):
    done = run("backtest", "--until", "2026-05-03")
    assert done.code == 1
    assert "churnguard ingest" in done.err
