"""The floors hold, the guests stay in their rooms, and nothing heavy reaches the start-up."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

GUESTS = {
    "mlflow": {"store"},
    "lightgbm": {"training"},
    "sklearn": {"training"},
    "optuna": {"training"},
    "numba": {"compiled.py"},
    "pyspark": {"engines"},
    "fastapi": {"serving"},
    "starlette": {"serving"},
    "jinja2": {"serving"},
    "prometheus_client": {"serving"},
    "typer": {"cli"},
    "rich": {"cli"},
    "sqlalchemy": {"store"},
    "alembic": {"store"},
}
"""Which room may import which package."""


def _imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_guests_stay_in_their_rooms(repo_root: Path) -> None:
    package = repo_root / "src" / "churnguard"
    strays = [
        f"{file.relative_to(package)} imports {guest}"
        for file in package.rglob("*.py")
        for guest in _imports(file) & GUESTS.keys()
        if file.relative_to(package).parts[0] not in GUESTS[guest]
    ]
    assert strays == []


def test_nothing_is_unpickled(repo_root: Path) -> None:
    """No module imports a library whose loading runs code."""
    package = repo_root / "src" / "churnguard"
    dangerous = {"pickle", "cloudpickle", "dill", "marshal", "shelve"}
    strays = [f for f in package.rglob("*.py") if _imports(f) & dangerous]
    assert strays == []


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["models", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    """``churnguard --help`` stays quick because it loads no package of the verbs."""
    code = (
        "import sys\nfrom churnguard.cli import main\n"
        f"sys.argv = ['churnguard', *{words!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'lightgbm', 'sklearn', 'mlflow', 'numba',"
        " 'fastapi', 'sqlalchemy', 'rich', 'scipy', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "Usage: churnguard" in done.stdout


def test_the_lock_names_no_host(repo_root: Path) -> None:
    """Any mirror can serve the lock: it holds versions and hashes, never an address."""
    for name in ("requirements.lock", ".ci/uv.lock", ".ci/spark.lock"):
        assert "://" not in (repo_root / name).read_text(encoding="utf-8")
