"""``churnguard demo``: from nothing to a page that lists customers, by one command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(300)


def _demo(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "churnguard.cli", "demo", "--check", "--port", "0"]
    return subprocess.run(
        [*command, "--dir", str(folder), *words],
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_command_leads_to_the_page(tmp_path: Path) -> None:
    """The shop's own commands are run and shown, and the page answers with customers on it."""
    done = _demo(tmp_path / "demo", "--customers", "400", "--json")
    assert done.returncode == 0, done.stderr
    page = json.loads(done.stdout)
    assert page["status"] == 200
    assert page["url"].endswith("/desk")
    shown = [line.split()[2] for line in done.stderr.splitlines() if line.startswith("$ ")]
    assert shown == ["init", "simulate", "ingest", "ingest", "train", "score"]


def test_a_folder_that_is_not_the_demo_s_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "garden").mkdir()
    (tmp_path / "garden" / "orders.csv").write_text("mine")
    done = _demo(tmp_path / "garden")
    assert done.returncode == 1
    assert "was not made by the demo, so it is left alone" in done.stderr
    assert [f.name for f in (tmp_path / "garden").iterdir()] == ["orders.csv"]
