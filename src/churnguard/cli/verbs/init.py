"""``churnguard init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churnguard.cli.answers import answer
from churnguard.cli.options import AsJson


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The new project's folder.")],
    name: Annotated[str | None, typer.Option(help="The shop's name.")] = None,
    timezone: Annotated[str, typer.Option(help="The shop's IANA time zone.")] = "UTC",
    currency: Annotated[str, typer.Option(help="The shop's currency, ISO 4217.")] = "USD",
    as_json: AsJson = False,
) -> None:
    """Make a new project: its three rooms, settings and keys.

    Example: churnguard init shop --timezone Asia/Jerusalem --currency ILS
    """
    from churnguard.project.settings import read_settings
    from churnguard.project.template import create_project

    layout = create_project(directory, name=name, timezone=timezone, currency=currency)
    settings = read_settings(layout.root)
    answer(
        {"project": str(directory), "name": settings.name},
        as_json=as_json,
        text=(
            f"{directory} is ready: settings in churnguard.toml, decisions in features/, training/ "
            f"and serving/.\nNext: cd {directory} && churnguard ingest FILE --preset orders"
        ),
    )
