"""``churnguard quarantine``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churnguard.cli.answers import answer, table
from churnguard.cli.options import HERE, AsJson, Project

app = typer.Typer(
    help="Rows that were not accepted: see, mend, replay them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
ByReason = Annotated[
    str | None, typer.Option("--reason", help="Only rows with this reason.", show_default="all")
]


@app.command("list")
def list_(
    reason: ByReason = None,
    limit: Annotated[int, typer.Option(min=1, help="How many rows to show.")] = 20,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Show counts by reason, and the rows.

    Example: churnguard quarantine list --reason missing_customer
    """
    from churnguard.bootstrap import open_shop
    from churnguard.jobs.quarantine import list_quarantine

    listing = list_quarantine(open_shop(project), reason=reason, limit=limit)
    columns = ["source", "row_number", "reason", "detail"]
    parts = [table(["reason", "rows"], listing["counts"].items())]
    if listing["rows"]:
        parts.append(table(columns, [[row[name] for name in columns] for row in listing["rows"]]))
    else:
        parts.append(f"No row has the reason '{reason}'.")
    text = "\n\n".join(parts) if listing["counts"] else "Nothing is in quarantine."
    answer(listing, as_json=as_json, text=text)


@app.command()
def replay(
    reason: ByReason = None,
    mapping: Annotated[
        Path | None, typer.Option("--map", metavar="FILE", help="Read them with this mapping.")
    ] = None,
    edits: Annotated[
        Path | None,
        typer.Option(
            "--edits",
            metavar="FILE",
            help="Corrected rows, JSON lines with row_id and payload as 'list --json' gives them.",
        ),
    ] = None,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Read the rows again, after the cause was mended.

    Accepted ones leave the quarantine.

    Example: churnguard quarantine replay --reason other_currency
    """
    from churnguard.bootstrap import open_shop
    from churnguard.cli.progress import progress
    from churnguard.jobs.quarantine import read_edits
    from churnguard.jobs.quarantine import replay as run

    corrected = read_edits(edits) if edits else None
    with progress(as_json=as_json) as report:
        result = run(
            open_shop(project), reason=reason, mapping=mapping, edits=corrected, progress=report
        )
    values = result.to_dict()
    columns = ["rows", "accepted", "duplicates", "conflicts", "quarantined"]
    answer(values, as_json=as_json, text=table(columns, [[values[name] for name in columns]]))
