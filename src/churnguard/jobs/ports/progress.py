"""How a job says how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how many are done, and of how many (None: not known)."""


def silent(what: str, done: int, of: int | None) -> None:
    """Report progress to nobody."""
    del what, done, of
