"""How commands speak: answers on stdout, talk on stderr, one exit code table.

Exit codes: 0 done, 1 failed (any :class:`ChurnGuardError`), 2 wrong usage.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from typer import TyperException

from churnguard.errors import ChurnGuardError, InvalidRequest

EXIT_CODES: Mapping[type[ChurnGuardError], int] = {InvalidRequest: 2, ChurnGuardError: 1}


def answer(value: Any, *, as_json: bool, text: str | None = None) -> None:
    """Print the answer on stdout: as JSON, or as text for a person."""
    as_text = json.dumps(value, ensure_ascii=False, indent=2, default=str) if as_json else text
    print(as_text, flush=True)


def say(text: str) -> None:
    """Tell a person something on stderr."""
    print(text, file=sys.stderr, flush=True)


def report_error(error: ChurnGuardError | OSError, *, as_json: bool) -> int:
    """Tell what went wrong and what to do; return the exit code."""
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        error = ChurnGuardError(f"{error.strerror or error}{where}.")
    _tell(type(error).__name__, error.message, error.hint, as_json=as_json)
    return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))


def report_usage(error: TyperException, *, as_json: bool) -> int:
    """Tell what was wrong with the words of the command; return the exit code."""
    message = error.format_message().replace("Value error, ", "")
    if message.startswith("Usage:"):  # a group without a verb answers with its help
        say(message)
        return error.exit_code
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "churnguard"
    if not message.endswith((".", "?", ")")):
        message += "."
    _tell("UsageError", message, f"See '{command} --help'.", as_json=as_json)
    return error.exit_code


def _tell(kind: str, message: str, hint: str, *, as_json: bool) -> None:
    if as_json:
        shape = {"type": kind, "message": message, "hint": hint}
        answer({"error": shape}, as_json=True)
    say(f"error: {message}")
    if hint:
        say(f"hint:  {hint}")


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


def short_digest(digest: str) -> str:
    """Return as much of ``sha256:...`` as tells bundles apart on a page.

    Examples
    --------
    >>> short_digest("sha256:15bb09309425eb8cdeb038ef47315")
    '15bb09309425'
    """
    return digest.removeprefix("sha256:")[:12]


def _is_number(text: str) -> bool:
    return text.replace(",", "").replace(".", "", 1).lstrip("-").rstrip("%").isdigit()
