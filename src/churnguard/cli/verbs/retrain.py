"""``churnguard retrain``."""

from __future__ import annotations

from typing import Annotated

import typer

from churnguard.cli.answers import answer
from churnguard.cli.options import HERE, AsJson, AsOf, Project


def retrain(
    if_drift: Annotated[
        bool, typer.Option("--if-drift", help="Only where something drifted.")
    ] = False,
    schedule_days: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Only where the champion is so many days old (or drifted)."
        ),
    ] = None,
    as_of: AsOf = None,
    recipe: Annotated[str, typer.Option(help="A recipe in training/, without .toml.")] = "default",
    approved_by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who answers for a promotion.")
    ] = None,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Train a challenger where there is reason to, through the gate.

    It says why it did, or did nothing; the second time on a day it does nothing. A challenger that
    the gate refuses stays registered, and the champion stays.

    Example: churnguard retrain --if-drift --schedule-days 30
    """
    from churnguard.bootstrap import open_shop
    from churnguard.cli.progress import progress
    from churnguard.clock import parse_instant
    from churnguard.jobs.retrain import retrain as run

    shop = open_shop(project)
    instant = parse_instant(as_of, shop.settings.timezone) if as_of else None
    with progress(as_json=as_json) as report:
        result = run(
            shop,
            if_drift=if_drift,
            schedule_days=schedule_days,
            as_of=instant,
            recipe=recipe,
            approved_by=approved_by,
            progress=report,
        )
    answer(result.to_dict(), as_json=as_json, text=result.to_text())
