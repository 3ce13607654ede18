"""``churnguard horizon``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churnguard.cli.answers import answer
from churnguard.cli.options import HERE, AsJson, Project


def horizon(
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Also write the plot and the table there."),
    ] = None,
    follow_up: Annotated[
        int,
        typer.Option(
            "--follow-up", metavar="DAYS", min=1, help="A return within so many days counts."
        ),
    ] = 365,
    accept: Annotated[
        float,
        typer.Option(
            "--accept", metavar="SHARE", help="How many of those called lost may come back."
        ),
    ] = 0.25,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Compare definitions of churn by who came back.

    Of those called lost after 30 to 365 days of silence, or by their own rhythm, how many came
    back after all; how old labels would be; how long the list.

    Example: churnguard horizon --out horizon/
    """
    from churnguard.bootstrap import open_shop
    from churnguard.cli.progress import progress
    from churnguard.jobs.horizon import horizon as run

    shop = open_shop(project)
    with progress(as_json=as_json) as report:
        found = run(shop, follow_up_days=follow_up, accepted=accept, out=out, progress=report)
    answer(found.to_dict(), as_json=as_json, text=found.to_text())
