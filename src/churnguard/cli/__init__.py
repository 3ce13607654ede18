"""The command-line door.

Nothing heavy is imported here: ``churnguard --help`` answers at once, and each verb imports what it
needs when it runs.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run one command; known errors are one line and a hint, ``--debug`` shows the traceback."""
    from churnguard.cli.answers import report_error
    from churnguard.cli.app import app
    from churnguard.errors import ChurnGuardError

    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    try:
        app(prog_name="churnguard")
    except ChurnGuardError as error:
        if debug:
            raise
        sys.exit(report_error(error, as_json="--json" in sys.argv))


__all__ = ["main"]
