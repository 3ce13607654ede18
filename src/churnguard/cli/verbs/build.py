"""``churnguard build``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churnguard.cli.answers import answer
from churnguard.cli.options import HERE, AsJson, EngineName, Events, Format, Horizon, Project


def build(
    cutoff: Annotated[
        list[str],
        typer.Option("--cutoff", metavar="T", help="Instant to look back from; may be repeated."),
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Parquet file to write; on Spark a folder of them, or a URI.",
        ),
    ],
    engine: EngineName = "local",
    events: Events = None,
    format: Format = None,  # noqa: A002 - the option's name
    horizon: Horizon = None,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL",
            help="What churned means: order_gap (no order), subscription (ended, not renewed), "
            "activity (no sign-in), activity:EVENT.",
            show_default="the project's",
        ),
    ] = None,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Write feature rows at past instants, as Parquet.

    A row is a customer at a cutoff; its column 'churned' is filled where the outcome is known.

    Example: churnguard build --cutoff 2026-08-01 --cutoff 2026-09-01 --out rows.parquet
    """
    from churnguard.bootstrap import open_engine, open_shop
    from churnguard.cli.progress import progress
    from churnguard.clock import parse_instant
    from churnguard.jobs.build import build_to
    from churnguard.jobs.build_on import build_on

    shop = open_shop(project, horizon_days=horizon)
    cutoffs = [parse_instant(text, shop.settings.timezone) for text in cutoff]
    with progress(as_json=as_json) as report:
        where = open_engine(engine, shop, events=events, format=format)
        summary = (
            build_to(shop, cutoffs, Path(out), label=label, progress=report)
            if where is None
            else build_on(where, shop, cutoffs=cutoffs, out=out, label=label, progress=report)
        )
    lines = [f"{out}: {summary['rows']:,} rows of {summary['columns']} signals"]
    if summary["nobody"]:
        lines.append(f"{summary['nobody']} --label says what else churn may be: docs/horizon.md.")
    lines += [f"left out: {family} ({why})" for family, why in summary["left_out"].items()]
    lines += [f"empty: {family} ({why})" for family, why in summary["empty"].items()]
    answer(summary, as_json=as_json, text="\n".join(lines))
