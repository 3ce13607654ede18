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
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Take in a list of people who object.

    From then on they are not profiled any more.

    Example: churnguard suppress crm-suppressions.csv
    """
    from churnguard.bootstrap import open_shop
    from churnguard.jobs.privacy import suppress as take_list

    told = take_list(open_shop(project), file, actor=actor())
    text = f"{told['rows']:,} ids: {told['objected']:,} object from now on, {told['known']:,} did."
    answer(told, as_json=as_json, text=text)
