"""Options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Project = Annotated[
    Path,
    typer.Option(
        "--project",
        envvar="CHURNGUARD_PROJECT",
        help="The project's folder (the one with churnguard.toml).",
        show_default="this folder",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="T",
        help="Use only what was known before this instant (2026-11-21 is shop-local midnight).",
        show_default="now",
    ),
]
Horizon = Annotated[
    int | None,
    typer.Option(
        "--horizon", metavar="DAYS", min=1, max=730, help="Churn: no order in so many days."
    ),
]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine", metavar="E", help="Where to compute: local, or spark (docs/spark.md)."
    ),
]
Events = Annotated[
    str | None,
    typer.Option(
        "--events",
        metavar="PATH-OR-TABLE",
        help="With --engine spark: canonical events elsewhere, instead of the project's own.",
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="F",
        help="Spark's data source for --events (parquet, delta, orc, ...), or table.",
        show_default="parquet",
    ),
]

HERE = Path()
"""The default project: the folder one stands in."""
