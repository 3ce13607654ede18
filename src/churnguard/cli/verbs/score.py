"""``churnguard score``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churnguard.cli.answers import answer
from churnguard.cli.options import HERE, AsJson, AsOf, EngineName, Events, Format, Project
from churnguard.cli.whoami import actor


def score(
    as_of: AsOf = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Also write CSV or Parquet.")
    ] = None,
    shadow: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION", help="Let this challenger score too; its scores lead to no action."
        ),
    ] = None,
    engine: EngineName = "local",
    events: Events = None,
    format: Format = None,  # noqa: A002 - the option's name
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Score every customer, to the store and to a file.

    Example: churnguard score --as-of 2026-11-01 --out scores.csv
    """
    from churnguard.bootstrap import open_engine, open_shop
    from churnguard.cli.progress import progress
    from churnguard.clock import parse_instant
    from churnguard.jobs.audit import record
    from churnguard.jobs.score import score_everybody

    shop = open_shop(project)
    instant = parse_instant(as_of, shop.settings.timezone) if as_of else None
    with progress(as_json=as_json) as report:
        where = open_engine(engine, shop, events=events, format=format)
        result = score_everybody(
            shop, as_of=instant, out=out, shadow=shadow, engine=where, progress=report
        )
    if out is not None:
        record(shop, actor(), "scores.exported", file=out.name, as_of=as_of)
    answer(result.to_dict(), as_json=as_json, text=result.to_text())
