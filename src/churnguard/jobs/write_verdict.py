"""Write what a check found to a file that can be handed on: Markdown to read, or JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

from churnguard.errors import InvalidRequest


class Verdict(Protocol):
    """What a check found."""

    @property
    def passed(self) -> bool:
        """Tell whether it is what one hoped for."""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""

    def to_markdown(self) -> str:
        """Return a page."""


def write_verdict(verdict: Verdict, out: Path) -> None:
    """Write a verdict, by the file's ending; its folder is made when missing.

    Raises
    ------
    InvalidRequest
        If it ends in neither ``.md`` nor ``.json``.
    """
    check_verdict_ending(out)
    text = verdict.to_markdown()
    if out.suffix == ".json":
        text = json.dumps(verdict.to_dict(), ensure_ascii=False, indent=2) + "\n"
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(out)


def check_verdict_ending(out: Path) -> None:
    """Refuse a file that could not be written in the end, before any work is done for it.

    Raises
    ------
    InvalidRequest
        If it ends in neither ``.md`` nor ``.json``.

    Examples
    --------
    >>> check_verdict_ending(Path("verdict.md"))
    """
    if out.suffix not in (".md", ".json"):
        raise InvalidRequest(
            f"'{out.name}' ends in neither .md nor .json.", hint="Name the file verdict.md."
        )
