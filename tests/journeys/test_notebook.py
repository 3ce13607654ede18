"""The notebook in the docs runs as it stands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


def test_the_notebook_is_executed_and_current(repo_root: Path) -> None:
    """Every cell of docs/notebook.py runs; docs/notebook.ipynb has its cells and answers."""
    command = [sys.executable, str(repo_root / "docs" / "run_notebook.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    notebook = json.loads((repo_root / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))
    shown = [cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert sum(bool(outputs) for outputs in shown) >= 6
