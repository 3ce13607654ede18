"""``churnguard drift``."""

from __future__ import annotations

import typer

from churnguard.cli.answers import answer
from churnguard.cli.options import HERE, AsJson, AsOf, Project


def drift(as_of: AsOf = None, project: Project = HERE, as_json: AsJson = False) -> None:
    """Tell what drifted of signals, scores and events, and its cost.

    Exit code 0: nothing drifted. Exit code 1: something did, or it could not be told.

    Example: churnguard drift --as-of 2026-11-01
    """
    from churnguard.bootstrap import open_shop
    from churnguard.cli.progress import progress
    from churnguard.clock import parse_instant
    from churnguard.jobs.drift import drift as run

    shop = open_shop(project)
    instant = parse_instant(as_of, shop.settings.timezone) if as_of else None
    with progress(as_json=as_json) as report:
        found = run(shop, as_of=instant, progress=report)
    answer(found.to_dict(), as_json=as_json, text=found.to_text())
    if found.alarm:
        raise typer.Exit(1)
