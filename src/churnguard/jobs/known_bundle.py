"""A bundle of this project: the shop's own signals are read first, for a bundle may name them."""

from __future__ import annotations

from pathlib import Path

from churnguard.project.layout import Layout
from churnguard.project.loader import load_own_signals
from churnguard.scoring.bundle import Bundle, load_bundle
from churnguard.scoring.signature import read_trusted


def load_known_bundle(layout: Layout, folder: Path, *, digest: str | None = None) -> Bundle:
    """Load a bundle, verified by the project's trusted keys and proven.

    Parameters
    ----------
    layout : Layout
        The project.
    folder : Path
        The bundle's folder.
    digest : str, optional
        What the ledger names; another bundle is refused.

    Raises
    ------
    BundleMismatch
        If it cannot be verified or proven, is another than was asked for, or names a signal that
        neither ChurnGuard nor the shop has.
    ProjectError
        If a file of the shop's own signals cannot be used.
    """
    load_own_signals(layout)
    return load_bundle(folder, read_trusted(layout.trust), digest=digest)
