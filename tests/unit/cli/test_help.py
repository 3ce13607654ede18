"""Help is quick to come and shows each command at work."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
from typer.main import get_command

from churnguard.cli.app import app


def _commands(group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*words, name))
        else:
            yield (*words, name)


VERBS = list(_commands(get_command(app)))


def test_the_commands_are_found():
    assert {("init",), ("train",), ("models", "promote"), ("keys", "create")} <= set(VERBS)
    assert len(VERBS) >= 19


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_every_command_shows_an_example_of_itself(run, words):
    """The example is of this very command, and every option in it exists."""
    shown = run(*words, "--help")
    assert shown.code == 0
    text = re.sub(r"\s+", " ", shown.out)
    command = " ".join(["churnguard", *words])
    assert f"Example: {command}" in text
    example = text.partition("Example: ")[2].partition(" Arguments:")[0].partition(" Options:")[0]
    for option in re.findall(r"--[a-z-]+", example):
        assert shown.out.count(option) > 1, option


@pytest.mark.parametrize("words", [*VERBS, ()], ids=lambda words: " ".join(words) or "churnguard")
def test_help_is_for_a_terminal_and_speaks_plainly(run, words):
    """No markup of docstrings reaches the reader."""
    shown = run(*words, "--help").out
    assert "``" not in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_no_summary_is_cut_short(run):
    """The list of commands shows each one's first sentence as it was written."""
    listed = run("--help").out.partition("Commands:")[2]
    assert "..." not in listed


def test_groups_without_a_verb_show_their_help(run):
    for group in ("keys", "models", "quarantine", "config"):
        shown = run(group)
        assert shown.code == 2
        assert shown.err.startswith(f"Usage: churnguard {group} ")


def test_help_loads_nothing_heavy():
    """What would make ``churnguard --help`` slow is not imported, nor is the rest of the house."""
    program = (
        "import sys; sys.argv = ['churnguard', '--help']\n"
        "from churnguard.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name.partition('.')[0] in "
        "('numpy', 'pyarrow', 'pydantic', 'sqlalchemy', 'rich', 'fastapi', 'urllib3')], "
        "file=sys.stderr)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "[]"


def test_the_version_is_told(run):
    from churnguard import __version__

    assert run("--version").out == f"churnguard {__version__}\n"
    assert isinstance(app, typer.Typer)
