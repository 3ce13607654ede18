"""``churnguard audit``."""

from __future__ import annotations

from typing import Annotated

import typer

from churnguard.cli.answers import answer, table
from churnguard.cli.options import HERE, AsJson, Project

app = typer.Typer(
    help="Who did what, and proof that nobody has changed it since.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def verify(
    noted: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER:DIGEST",
            help="An end that was noted before: it must still be part of the log.",
            show_default=False,
        ),
    ] = None,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Check every digest and signature. Exit code 1 when something is wrong.

    Example: churnguard audit verify
    """
    from churnguard.bootstrap import open_shop
    from churnguard.jobs.audit import verify_audit

    verdict = verify_audit(open_shop(project), noted=noted)
    good = f"{verdict.entries} entries and {verdict.days} signed days are as they were written."
    end = f"Note this, and give it to --noted one day: {verdict.entries}:{verdict.head}"
    shape = {**vars(verdict), "noted": f"{verdict.entries}:{verdict.head}"}
    answer(shape, as_json=as_json, text=verdict.broken or f"{good}\n{end}")
    if verdict.broken:
        raise typer.Exit(1)


@app.command("list")
def list_(
    after: Annotated[int, typer.Option(min=0, help="Begin after this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    subject: Annotated[
        str | None, typer.Option(metavar="ID", help="Only what concerns this customer.")
    ] = None,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """List entries in the order in which they were written.

    Example: churnguard audit list --after 100
    """
    from churnguard.bootstrap import open_shop
    from churnguard.clock import iso
    from churnguard.jobs.audit import entries_about

    found = entries_about(open_shop(project), subject, after=after, limit=limit)
    rows = [
        vars(entry) | {"at": iso(entry.at), "digest": entry.digest.hex(), "details": entry.details}
        for entry in found
    ]
    columns = ["sequence", "at", "actor", "action", "subject", "details"]
    lines = [[_cell(row[name]) for name in columns] for row in rows]
    text = table(columns, lines) if rows else "There is no entry."
    answer(rows, as_json=as_json, text=text)


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={part}" for name, part in value.items()) or "-"
    return str(value or "-")
