"""``churnguard backup``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churnguard.cli.answers import answer
from churnguard.cli.options import HERE, AsJson, Project


def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder, elsewhere.")],
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="Copy .secrets/ too; keep it like a key.")
    ] = False,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Copy the project while it is in use.

    Store, history, bundles, rooms and settings.

    Example: churnguard backup /backups/2026-11-21
    """
    from churnguard.bootstrap import back_up_project

    made = back_up_project(project, folder, with_secrets=with_secrets)
    text = f"{made.files:,} files, {made.size / 1e6:,.1f} MB, in {made.folder}"
    if made.by_hand:
        text += f"\nThe store is in PostgreSQL; copy it with:\n  {made.by_hand}"
    values = {"folder": str(made.folder), "files": made.files, "bytes": made.size}
    answer(values | {"store_by_hand": made.by_hand}, as_json=as_json, text=text)
