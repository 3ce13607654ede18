"""A project's keys: from the environment, else from the files that ``churnguard init`` wrote."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from churnguard.errors import ProjectError
from churnguard.project.layout import Layout
from churnguard.project.settings import read_secret
from churnguard.project.template import write_secret_once


def signing_key(layout: Layout, environ: Mapping[str, str] = os.environ) -> str:
    """Return the private signing key (PEM).

    Raises
    ------
    ProjectError
        If there is none.
    """
    key = read_secret("CHURNGUARD_SIGNING_KEY", environ)
    if key:
        return key
    if layout.signing_key.is_file():
        return layout.signing_key.read_text(encoding="utf-8")
    raise ProjectError(
        "There is no key to sign the model with.",
        hint="Make one with 'churnguard keys new-signing', or set CHURNGUARD_SIGNING_KEY.",
        file=layout.signing_key,
    )


def holdout_key(layout: Layout, environ: Mapping[str, str] = os.environ) -> bytes:
    """Return the key that draws the held-out group; made on first use.

    It must stay the same for as long as an experiment runs: another key draws other customers.
    """
    return _own_key("CHURNGUARD_HOLDOUT_KEY", layout.holdout_key, environ)


def service_key(layout: Layout, environ: Mapping[str, str] = os.environ) -> bytes:
    """Return the service's own key, from which others are derived; made on first use.

    With another key every webhook endpoint has another secret, so receivers would refuse what is
    sent to them. Processes of one shop on several machines must be given the same one.
    """
    return _own_key("CHURNGUARD_SERVICE_KEY", layout.service_key, environ)


_PLACEHOLDERS = ("changeme", "change-me", "change_me", "password", "example", "default", "secret")
_LEAST_LENGTH, _LEAST_VARIETY = 32, 8
_DRAWN = ("CHURNGUARD_SERVICE_KEY", "CHURNGUARD_HOLDOUT_KEY", "CHURNGUARD_SESSION_KEY")


def demand_drawn_secrets(environ: Mapping[str, str]) -> None:
    """Refuse secrets that nobody drew: placeholders, short ones, a row of the same letter.

    Raises
    ------
    ProjectError
        If one of those that are given to the process is such a one; it names which, never what.

    Examples
    --------
    >>> demand_drawn_secrets({"CHURNGUARD_SERVICE_KEY": "changeme" * 8})
    Traceback (most recent call last):
    churnguard.errors.ProjectError: CHURNGUARD_SERVICE_KEY is a placeholder, not a secret.
    """
    for name in _DRAWN:
        text = read_secret(name, environ)
        if text is None:
            continue
        if any(word in text.lower() for word in _PLACEHOLDERS):
            wrong = "is a placeholder, not a secret"
        elif len(text) < _LEAST_LENGTH:
            wrong = f"is shorter than {_LEAST_LENGTH} characters"
        elif len(set(text)) < _LEAST_VARIETY:
            wrong = "was not drawn at random"
        else:
            continue
        raise ProjectError(
            f"{name} {wrong}.",
            hint="Make one with: python -c 'import secrets; print(secrets.token_hex(32))'",
        )


def _own_key(name: str, file: Path, environ: Mapping[str, str]) -> bytes:
    key = read_secret(name, environ)
    if key:
        return key.encode()
    if not file.is_file():
        write_secret_once(file, secrets.token_hex(32))
    return file.read_text(encoding="utf-8").encode()
