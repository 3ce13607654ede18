"""Who works at the command line, as the audit log names them."""

from __future__ import annotations

import getpass
import os


def actor() -> str:
    """Return ``cli:`` and the user's name, or number where it has none.

    Examples
    --------
    >>> actor().startswith("cli:")
    True
    """
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user need not have a name
        return f"cli:uid {os.getuid()}"
