"""A command that finds no memory says so in one line, also where it is a thread that finds none."""

from __future__ import annotations

import sys

import pytest

from churnguard import cli
from churnguard.cli import app as commands


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't start new thread")])
def test_no_memory_is_one_line(monkeypatch, capsys, error):
    _fail_with(monkeypatch, error)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "too little memory" in capsys.readouterr().err


def test_another_error_is_not_taken_for_it(monkeypatch):
    _fail_with(monkeypatch, RuntimeError("a mistake of ours"))
    with pytest.raises(RuntimeError, match="a mistake"):
        cli.main()


def _fail_with(monkeypatch, error):
    def fail(**_options):
        raise error

    monkeypatch.setattr(commands, "app", fail)
    monkeypatch.setattr(sys, "argv", ["churnguard", "check"])
