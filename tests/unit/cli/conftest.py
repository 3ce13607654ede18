"""Run a command in this process, as the console script would."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from churnguard.cli import main
from churnguard.project.template import create_project


@dataclass(frozen=True)
class Answered:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The answer, as JSON."""
        return json.loads(self.out)


class Run(Protocol):
    """Runs ``churnguard WORDS``."""

    def __call__(self, *words: str) -> Answered: ...


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command's exit code, its answer and its talk."""

    def once(*words: str) -> Answered:
        capsys.readouterr()
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr(sys, "argv", ["churnguard", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Answered(int(ended.value.code or 0), out, err)

    return once


@pytest.fixture
def garden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new project, and the folder one stands in."""
    create_project(tmp_path / "garden", currency="EUR")
    monkeypatch.chdir(tmp_path / "garden")
    return tmp_path / "garden"
