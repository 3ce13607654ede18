"""``churnguard run daily``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churnguard.cli.answers import answer
from churnguard.cli.options import HERE, AsJson, Project

app = typer.Typer(
    help="The shop's regular work, for cron and the like.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def daily(
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="T",
            help="Use only what was known before this instant.",
            show_default="the shop's last midnight",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the scores to this .csv or .parquet.")
    ] = None,
    wait: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="Wait for another run that is at it."),
    ] = 0.0,
    lease: Annotated[
        float,
        typer.Option(
            min=1,
            max=86_400,
            metavar="SECONDS",
            help="After so long without a sign, a run is taken for dead.",
        ),
    ] = 60.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what is done and what would be; do nothing.")
    ] = False,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Do the night's work: export, score, store, write, watch, look for drift, tidy.

    The same day again answers what was done. Killed anywhere, the same command goes on where it
    was. Two of them never work at the same time: the second fails, or waits (--wait). On SIGTERM
    the step under way is finished.

    Example: churnguard run daily --out scores.csv
    """
    from churnguard.bootstrap import open_shop
    from churnguard.cli.progress import progress
    from churnguard.cli.stopping import stop_asked
    from churnguard.clock import parse_instant
    from churnguard.jobs.run_daily import plan_daily, run_daily

    shop = open_shop(project)
    instant = parse_instant(as_of, shop.settings.timezone) if as_of else None
    if dry_run:
        result = plan_daily(shop, as_of=instant, out=out)
    else:
        with stop_asked() as stop, progress(as_json=as_json) as report:
            result = run_daily(
                shop,
                as_of=instant,
                out=out,
                wait=wait,
                lease_seconds=lease,
                stopping=stop.is_set,
                progress=report,
            )
    answer(result.to_dict(), as_json=as_json, text=result.to_text())
