"""``churnguard restore``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churnguard.cli.answers import answer
from churnguard.cli.options import AsJson


def restore(
    backup: Annotated[Path, typer.Argument(metavar="BACKUP", help="What 'backup' made.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder.")],
    tombstones: Annotated[
        Path | None,
        typer.Option(help="A newer tombstones.json: who was erased since the backup."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a project from a backup.

    Every file of the backup is checked first.

    Example: churnguard restore /backups/2026-11-21 shop
    """
    from churnguard.bootstrap import restore_project

    made = restore_project(backup, folder, tombstones=tombstones)
    text = f"{made.files:,} files of {made.made_at} are in {folder} again"
    text += f"; {made.erased:,} people erased again." if made.erased else "."
    if made.erased is None:
        text += f"\n{made.tombstones:,} ids of people were erased since or before: bring .secrets/"
        text += " back, then 'churnguard serve' sees to it that they stay so, before it answers."
    if made.by_hand:
        text += f"\nThe store comes back with pg_restore; it was copied with:\n  {made.by_hand}"
    values = {"made_at": made.made_at, "files": made.files, "tombstones": made.tombstones}
    answer(
        values | {"erased": made.erased, "store_by_hand": made.by_hand}, as_json=as_json, text=text
    )
