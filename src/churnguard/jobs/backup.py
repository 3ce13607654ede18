"""Copies a project: the store and its history of one moment, the bundles, the rooms, the settings.

Every file's SHA-256 stands in a manifest that is written last, so half a backup is none. Secrets
are left out unless they are asked for: whoever holds a copy should not hold the keys as well.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import orjson

from churnguard.clock import iso
from churnguard.errors import InvalidRequest
from churnguard.project.layout import ROOMS, Layout
from churnguard.project.settings import SETTINGS_FILE

MANIFEST = "manifest.json"
TOMBSTONES = "tombstones.json"
PROJECT = "project"
SECRETS = ".secrets"


class Copier(Protocol):
    """Copies a store; see :class:`churnguard.store.copying.StoreCopier`."""

    def copy(self, target: Path) -> str | None:
        """Copy store and history; return the command for a store that copies itself."""

    def schema(self) -> str | None:
        """Return the store's schema."""

    def tombstones(self) -> list[tuple[str, int, str]]:
        """Return who was erased: keyed digest in hex, when (microseconds), receipt."""


@dataclass(frozen=True)
class Backup:
    """What was copied.

    Attributes
    ----------
    folder : Path
        Where it is.
    files, size : int
        How many files, and their bytes.
    by_hand : str or None
        The command that copies a store in PostgreSQL; None where the store is in the backup.
    """

    folder: Path
    files: int
    size: int
    by_hand: str | None


def back_up(
    layout: Layout, copier: Copier, folder: Path, *, now: datetime, with_secrets: bool = False
) -> Backup:
    """Copy a project, which may be in use meanwhile.

    Parameters
    ----------
    layout : Layout
        The project.
    copier : Copier
        Copies its store.
    folder : Path
        Where to; it must be empty or missing.
    now : datetime
        When, for the manifest.
    with_secrets : bool
        Copy ``.secrets/`` as well; keep such a backup like a key.

    Raises
    ------
    InvalidRequest
        If the folder holds something already, or is within the project.
    """
    _check(layout, folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    by_hand = copier.copy(folder)
    for source in _of_the_project(layout, with_secrets=with_secrets):
        target = folder / PROJECT / source.relative_to(layout.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    tombstones = orjson.dumps(copier.tombstones(), option=orjson.OPT_INDENT_2)
    (folder / TOMBSTONES).write_bytes(tombstones)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    manifest: dict[str, Any] = {
        "made_at": iso(now.replace(microsecond=0)),
        "schema": copier.schema(),
        "store": "in the backup" if by_hand is None else by_hand,
        "files": {file.relative_to(folder).as_posix(): sha256(file) for file in files},
    }
    text = orjson.dumps(manifest, option=orjson.OPT_INDENT_2)
    temporary = folder / f".{MANIFEST}.tmp"
    temporary.write_bytes(text)
    temporary.replace(folder / MANIFEST)
    return Backup(folder, len(files), sum(file.stat().st_size for file in files), by_hand)


def sha256(file: Path) -> str:
    """Return a file's SHA-256 in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check(layout: Layout, folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidRequest(f"{folder} is not empty.", hint="Name a new folder for each backup.")
    if folder.resolve().is_relative_to(layout.root.resolve()):
        raise InvalidRequest(
            "A backup within the project goes when the project goes.",
            hint="Name a folder elsewhere, best on another disk.",
        )


def _of_the_project(layout: Layout, *, with_secrets: bool) -> Iterator[Path]:
    """Yield the files that are copied as they are: what cannot be derived from the store."""
    yield layout.root / SETTINGS_FILE
    folders: Sequence[Path] = [layout.root / room for room in ROOMS] + [layout.bundles]
    folders = [*folders, layout.root / SECRETS] if with_secrets else folders
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file
