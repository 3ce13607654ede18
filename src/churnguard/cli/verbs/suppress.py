"""``churnguard suppress``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churnguard.cli.answers import answer
from churnguard.cli.options import HERE, AsJson, Project
from churnguard.cli.whoami import actor


def suppress(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="One customer id a line, or a CSV's first column."),
    ],
    undo: Annotated[
        bool, typer.Option("--undo", help="Take the list back: it was the wrong file.")
    ] = False,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Take in a list of people who object.

    From then on they are not profiled any more. --undo lifts what the list of this name brought;
    whoever objected otherwise still does.

    Example: churnguard suppress crm-suppressions.csv
    """
    from churnguard.bootstrap import open_shop
    from churnguard.jobs.privacy import lift_suppression
    from churnguard.jobs.privacy import suppress as take_list

    shop = open_shop(project)
    if undo:
        told = lift_suppression(shop, file, actor=actor())
        text = f"{told['rows']:,} ids: {told['lifted']:,} do not object any more, "
        answer(told, as_json=as_json, text=f"{text}{told['kept']:,} were left as they are.")
        return
    told = take_list(shop, file, actor=actor())
    text = f"{told['rows']:,} ids: {told['objected']:,} object from now on, {told['known']:,} did."
    answer(told, as_json=as_json, text=text)
