"""``churnguard export``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from churnguard.cli.answers import answer
from churnguard.cli.options import HERE, AsJson, Project
from churnguard.cli.whoami import actor


def export(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The shop's own id.")],
    out: Annotated[
        Path | None,
        typer.Option(help="A JSON file; it must not exist.", show_default="standard output"),
    ] = None,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Write everything that is known of a person.

    Events, scores with reasons, decisions, and who was told.

    Example: churnguard export C123 --out C123.json
    """
    from churnguard.bootstrap import open_shop
    from churnguard.errors import InvalidRequest
    from churnguard.jobs.privacy import access_report

    if out is not None and out.exists():
        raise InvalidRequest(f"{out} exists already.", hint="Name a new file.")
    report = access_report(open_shop(project), customer, actor=actor())
    if out is None:
        answer(report, as_json=True)
        return
    unfinished = out.with_name(f"{out.name}.unfinished")
    unfinished.write_text(json.dumps(report, ensure_ascii=False, indent=2), encoding="utf-8")
    unfinished.replace(out)
    counts = {name: len(rows) for name, rows in report["records"].items()}
    told = ", ".join(f"{rows:,} {name.replace('_', ' ')}" for name, rows in counts.items())
    answer({"out": str(out), "records": counts}, as_json=as_json, text=f"{out}: {told}.")
