"""A project's keys: from the environment, else from the files that ``churnguard init`` wrote."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping

from churnguard.errors import ProjectError
from churnguard.project.layout import Layout
from churnguard.project.settings import read_secret
from churnguard.project.template import write_secret


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
    key = read_secret("CHURNGUARD_HOLDOUT_KEY", environ)
    if key:
        return key.encode()
    if not layout.holdout_key.is_file():
        write_secret(layout.holdout_key, secrets.token_hex(32))
    return layout.holdout_key.read_text(encoding="utf-8").encode()
