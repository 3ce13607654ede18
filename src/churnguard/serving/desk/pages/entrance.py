"""Pages that show nobody's data: the door, and what did not work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class SignInPage:
    """The door: a field for an API key.

    Attributes
    ----------
    refused : bool
        Whether a key has just been refused.
    next_path : str
        Where to go afterwards.
    """

    template: ClassVar[str] = "sign_in.html"

    refused: bool
    next_path: str


@dataclass(frozen=True)
class ProblemPage:
    """Something did not work.

    Attributes
    ----------
    status : int
        The HTTP status.
    title, detail, hint : str
        What, and what to do.
    request_id : str
        What to name when reporting it.
    """

    template: ClassVar[str] = "problem.html"

    status: int
    title: str
    detail: str
    hint: str
    request_id: str
