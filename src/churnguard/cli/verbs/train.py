"""``churnguard train``."""

from __future__ import annotations

from typing import Annotated

import typer

from churnguard.cli.answers import answer, say
from churnguard.cli.options import HERE, AsJson, Horizon, Project


def train(
    recipe: Annotated[str, typer.Option(help="A recipe in training/, without .toml.")] = "default",
    until: Annotated[
        str | None,
        typer.Option(
            metavar="T", help="Use only what was known before this instant.", show_default="now"
        ),
    ] = None,
    horizon: Horizon = None,
    trials: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Try N values of the recipe's numbers first; goes on where it was stopped.",
        ),
    ] = 0,
    promote: Annotated[
        bool, typer.Option("--promote", help="Make it champion if the gate lets it through.")
    ] = False,
    approved_by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who answers for a promotion.")
    ] = None,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Train a model, judge it on later time, register it.

    The first model becomes champion; a later one does with --promote, if the gate lets it through.

    Example: churnguard train --until 2026-09-01 --horizon 90
    """
    from churnguard.bootstrap import open_shop
    from churnguard.cli.progress import progress
    from churnguard.clock import parse_instant
    from churnguard.jobs.train import train as run

    shop = open_shop(project, horizon_days=horizon)
    instant = parse_instant(until, shop.settings.timezone) if until else None
    try:
        with progress(as_json=as_json) as report:
            result = run(
                shop,
                recipe=recipe,
                until=instant,
                trials=trials,
                promote=promote,
                approved_by=approved_by,
                progress=report,
            )
    except KeyboardInterrupt:
        kept = " Finished trials are kept: the same command goes on after them." if trials else ""
        say(f"Stopped.{kept}")
        raise
    answer(result.to_dict(), as_json=as_json, text=result.to_text())
