"""``churnguard ingest``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from churnguard.cli.answers import answer, table
from churnguard.cli.options import HERE, AsJson, Project


class Kind(StrEnum):
    """What the rows of a file are."""

    EVENTS = "events"
    CUSTOMERS = "customers"


def ingest(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="CSV, TSV, JSON lines, Parquet, Excel.")
    ],
    kind: Annotated[Kind, typer.Option(help="What the rows are.")] = Kind.EVENTS,
    preset: Annotated[
        str,
        typer.Option(help="How to read events: events, orders, order-lines, online-retail, tmall."),
    ] = "events",
    mapping: Annotated[
        Path | None, typer.Option("--map", metavar="FILE", help="A mapping of your own (TOML).")
    ] = None,
    known_lag: Annotated[
        str | None,
        typer.Option(
            "--known-lag",
            metavar="LAG",
            help="How long after it occurred a row was known (36h, 2d), where it does not say.",
            show_default="the setting known_lag_seconds",
        ),
    ] = None,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Take in a shop's files: events, orders or customers.

    Every row is accepted, a duplicate, a conflict or quarantined; the counts add up.

    Example: churnguard ingest orders.csv --preset orders
    """
    from churnguard.bootstrap import open_shop
    from churnguard.cli.progress import progress
    from churnguard.jobs.ingest import ingest as run

    shop = open_shop(project)
    with progress(as_json=as_json) as report:
        result = run(
            shop,
            files,
            kind=kind.value,
            preset=preset,
            mapping=mapping,
            known_lag=known_lag,
            progress=report,
        )
    answer(result.to_dict(), as_json=as_json, text=_as_text(result.to_dict()))


_ODD_TIMES = {
    "ambiguous_times": "times that occur twice, as clocks are put back: {} (read as the first)",
    "moved_times": "times that never were, as clocks are put forward: {} (moved by the gap)",
}


def _as_text(report: dict) -> str:  # type: ignore[type-arg]
    columns = ["rows", "accepted", "duplicates", "conflicts", "quarantined"]
    lines = [(each["file"], *(each[name] for name in columns)) for each in report["files"]]
    if len(lines) > 1:
        lines.append(("total", *(report[name] for name in columns)))
    parts = [table(["file", *columns], lines)]
    if report["events"]:
        parts.append(table(["event", "new"], list(report["events"].items())))
    if report["reasons"]:
        parts.append(table(["quarantined because", "rows"], list(report["reasons"].items())))
        parts.append("'churnguard quarantine list' shows the rows.")
    parts += [told.format(report[name]) for name, told in _ODD_TIMES.items() if report.get(name)]
    return "\n\n".join(parts)
