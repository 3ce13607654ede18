"""How commands speak: answers on stdout, talk on stderr, one exit code table.

Exit codes: 0 done, 1 failed (any :class:`ChurnGuardError`), 2 wrong usage.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from churnguard.errors import ChurnGuardError, InvalidRequest

EXIT_CODES: Mapping[type[ChurnGuardError], int] = {InvalidRequest: 2, ChurnGuardError: 1}


def answer(value: Any, *, as_json: bool, text: str | None = None) -> None:
    """Print the answer on stdout: as JSON, or as text for a person."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str) if as_json else text)


def say(text: str) -> None:
    """Tell a person something on stderr."""
    print(text, file=sys.stderr)


def report_error(error: ChurnGuardError, *, as_json: bool) -> int:
    """Tell what went wrong and what to do; return the exit code."""
    code = next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))
    if as_json:
        shape = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
        print(json.dumps({"error": shape}, ensure_ascii=False))
    say(f"error: {error.message}")
    if error.hint:
        say(f"hint:  {error.hint}")
    return code


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a plain text table; numbers are right-aligned.

    Examples
    --------
    >>> print(table(["model", "auc"], [["recency", 0.731], ["BG/NBD", 0.79]]))
    model      auc
    recency  0.731
    BG/NBD    0.79
    """
    lines = [[str(cell) for cell in row] for row in [head, *rows]]
    numeric = [
        all(_is_number(line[column]) for line in lines[1:]) and len(lines) > 1
        for column in range(len(head))
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )


def _is_number(text: str) -> bool:
    return text.replace(",", "").replace(".", "", 1).lstrip("-").rstrip("%").isdigit()
