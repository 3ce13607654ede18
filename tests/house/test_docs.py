"""The docs name every command, setting and page, and the generated ones are current."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def test_generated_pages_are_current(repo_root: Path) -> None:
    command = [sys.executable, str(repo_root / "docs" / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_page_is_linked_from_the_index(repo_root: Path) -> None:
    docs = repo_root / "docs"
    index = (docs / "index.md").read_text(encoding="utf-8")
    pages = {page.name for page in docs.glob("*.md")} - {"index.md"}
    assert {page for page in pages if f"({page})" not in index} == set()


def test_links_between_pages_lead_somewhere(repo_root: Path) -> None:
    """A relative link in README or docs names a file that exists."""
    broken = []
    for page in [*repo_root.glob("*.md"), *(repo_root / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            broken += [f"{page.name} -> {target}"] * (not (page.parent / target).exists())
    assert broken == []
