"""The command-line door.

Nothing heavy is imported here: ``churnguard --help`` answers at once, and each verb imports what it
needs when it runs.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run one command; known errors are one line and a hint, ``--debug`` shows the traceback."""
    try:
        _run()
    except BrokenPipeError:  # whoever reads the answer, as head does, has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _run() -> None:
    from typer import TyperException

    from churnguard.cli.answers import report_error, report_usage
    from churnguard.cli.app import app
    from churnguard.errors import ChurnGuardError

    debug, as_json = "--debug" in sys.argv, "--json" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    try:
        sys.exit(app(prog_name="churnguard", standalone_mode=False))
    except TyperException as error:
        sys.exit(report_usage(error, as_json=as_json))
    except BrokenPipeError:
        raise
    except (ChurnGuardError, OSError) as error:
        if debug:
            raise
        sys.exit(report_error(error, as_json=as_json))
    except (MemoryError, RuntimeError) as error:
        if debug or not _is_short_of_memory(error):
            raise
        short = ChurnGuardError(
            "There is too little memory for this; nothing was changed.",
            hint="Give the process more, or do the work on a larger machine.",
        )
        sys.exit(report_error(short, as_json=as_json))


def _is_short_of_memory(error: Exception) -> bool:
    """Tell whether there was no memory, be it for a thread's stack."""
    return isinstance(error, MemoryError) or "can't start new thread" in str(error)


__all__ = ["main"]
