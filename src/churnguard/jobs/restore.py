"""Makes a project from a backup, after every file of it has been checked.

A backup may be older than an erasure: the tombstones that were written since are fed in, and who
they name is erased from what was restored. That takes the service's own key; where the backup came
without secrets, it is done by the first ``serve`` after they are back.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from churnguard.errors import DataError, InvalidRequest
from churnguard.jobs.backup import MANIFEST, PROJECT, TOMBSTONES, sha256
from churnguard.project.layout import Layout
from churnguard.project.settings import read_settings

Place = Callable[[Path, str], None]
"""Puts a copied store where an address says: ``churnguard.store.copying.place_store``."""
Replay = Callable[[Path], int]
"""Erases from a restored project who has a tombstone; returns how many people were there."""


@dataclass(frozen=True)
class Restored:
    """What was restored.

    Attributes
    ----------
    made_at : str
        When the backup was taken.
    files : int
        Files restored.
    tombstones : int
        Tombstones fed in.
    erased : int or None
        People who were in the backup and are erased again; None where that is still to be done.
    by_hand : str or None
        How the store was copied where it is not in the backup: it comes back by ``pg_restore``.
    """

    made_at: str
    files: int
    tombstones: int
    erased: int | None
    by_hand: str | None


def restore(
    backup: Path,
    root: Path,
    *,
    place: Place,
    replay: Replay | None = None,
    tombstones: Path | None = None,
) -> Restored:
    """Make a project from a backup.

    Parameters
    ----------
    backup : Path
        A folder that ``churnguard backup`` made.
    root : Path
        The project's folder; it must be empty or missing.
    place : callable
        Puts the store in its place.
    replay : callable, optional
        Erases who has a tombstone; left out where the keys to do it are missing.
    tombstones : Path, optional
        A newer ``tombstones.json``; those in the backup are used in any case.

    Raises
    ------
    DataError
        If the backup is not whole, or damaged.
    InvalidRequest
        If the folder holds something already.
    """
    manifest = _checked(backup)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InvalidRequest(f"{root} is not empty.", hint="Restore into a new folder.")
    shutil.copytree(backup / PROJECT, root, dirs_exist_ok=True)
    layout = Layout(root.resolve())
    if (backup / "events").is_dir():
        shutil.copytree(backup / "events", layout.data / "events")
    by_hand = manifest["store"] if not (backup / "store.db").is_file() else None
    if by_hand is None:
        place(backup / "store.db", layout.resolve_store(read_settings(root, {}).store))
    graves = _tombstones(backup / TOMBSTONES) | (_tombstones(tombstones) if tombstones else {})
    layout.data.mkdir(parents=True, exist_ok=True)
    layout.tombstones.write_bytes(orjson.dumps(list(graves.values())))
    erased: int | None = None if graves else 0
    if graves and replay is not None and by_hand is None:
        erased = replay(root)
    return Restored(manifest["made_at"], len(manifest["files"]), len(graves), erased, by_hand)


def _checked(backup: Path) -> dict[str, Any]:
    """Return the manifest of a backup whose files are all there and as they were."""
    try:
        manifest: dict[str, Any] = orjson.loads((backup / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(
            f"{backup} is no finished backup: its {MANIFEST} cannot be read.",
            hint="Name a folder that 'churnguard backup' made.",
        ) from error
    for name, digest in manifest["files"].items():
        file = backup / name
        if not file.is_file() or sha256(file) != digest:
            raise DataError(f"The backup is damaged: {name} is missing or was changed.")
    return manifest


def _tombstones(file: Path) -> dict[str, tuple[str, int, str]]:
    try:
        rows = orjson.loads(file.read_bytes())
        return {subject: (subject, int(at), receipt) for subject, at, receipt in rows}
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"The tombstones in {file} cannot be read.") from error
