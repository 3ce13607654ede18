"""``churnguard backtest``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churnguard.cli.answers import answer
from churnguard.cli.options import HERE, AsJson, Horizon, Project


def backtest(
    recipe: Annotated[str, typer.Option(help="A recipe in training/, without .toml.")] = "default",
    until: Annotated[
        str | None,
        typer.Option(
            metavar="T", help="Use only what was known before this instant.", show_default="now"
        ),
    ] = None,
    horizon: Horizon = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Write report.html, JSON and plots there."),
    ] = None,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Judge a recipe and the baselines on past cutoffs.

    No model is registered. The report stands alone: one HTML file, readable without its plots.

    Example: churnguard backtest --recipe default --out backtest/
    """
    from churnguard.bootstrap import open_shop
    from churnguard.cli.progress import progress
    from churnguard.clock import parse_instant
    from churnguard.jobs.backtest import backtest_shop

    shop = open_shop(project, horizon_days=horizon)
    instant = parse_instant(until, shop.settings.timezone) if until else None
    with progress(as_json=as_json) as report:
        result = backtest_shop(shop, recipe=recipe, until=instant, out=out, progress=report)
    answer(result.to_dict(), as_json=as_json, text=result.to_text())
