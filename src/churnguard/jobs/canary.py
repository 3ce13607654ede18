"""Loads a bundle in a process of its own first: what crashes or hangs there cannot hurt a server.

Trees are parsed by LightGBM's C++; hashes and signature say who wrote them, not that they are
sound. ``python -m churnguard.jobs.canary ROOT DIGEST`` loads and proves one bundle, and says in
one line of JSON what is wrong with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from churnguard.errors import BundleMismatch, ChurnGuardError
from churnguard.jobs.ports import LedgerEntry
from churnguard.project.layout import Layout

PATIENCE_SECONDS = 600
_KINDNESS = 5  # the process that serves goes first


def prove_apart(layout: Layout, entry: LedgerEntry) -> None:
    """Load and prove the bundle of a ledger entry in another process.

    Parameters
    ----------
    layout : Layout
        The project.
    entry : LedgerEntry
        What is to serve.

    Raises
    ------
    BundleMismatch
        If it cannot be loaded there, crashes, or takes longer than ten minutes.
    """
    command = [sys.executable, "-m", "churnguard.jobs.canary", str(layout.root), entry.bundle]
    try:
        ended = subprocess.run(  # noqa: S603 - this program, and a digest of the ledger
            command, capture_output=True, timeout=PATIENCE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise BundleMismatch(
            f"The bundle of version {entry.version} was not loaded within {PATIENCE_SECONDS} s.",
            fault="crashes",
        ) from None
    if ended.returncode == 0:
        return
    try:
        told = json.loads(ended.stdout)
    except ValueError:
        raise BundleMismatch(
            f"The bundle of version {entry.version} ends the process that loads it "
            f"(exit code {ended.returncode}).",
            hint="Train again, or go back with 'churnguard models rollback'.",
            fault="crashes",
        ) from None
    raise BundleMismatch(told["message"], hint=told["hint"], fault=told["fault"])


def main(root: str, digest: str) -> int:
    """Load and prove one bundle of a project; return the exit code."""
    os.nice(_KINDNESS)
    from churnguard.jobs.known_bundle import load_known_bundle

    layout = Layout(Path(root))
    try:
        load_known_bundle(layout, layout.bundles / digest.removeprefix("sha256:"), digest=digest)
    except ChurnGuardError as error:
        fault = error.fault if isinstance(error, BundleMismatch) else "damaged"
        told = {"message": error.message, "hint": error.hint, "fault": fault}
        print(json.dumps(told))  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
