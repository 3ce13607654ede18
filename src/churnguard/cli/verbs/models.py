"""``churnguard models``."""

from __future__ import annotations

from typing import Annotated

import typer

from churnguard.cli.answers import answer, table
from churnguard.cli.options import HERE, AsJson, Project

app = typer.Typer(
    help="The registry and its ledger: who is champion, who was, and who approved.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Version = Annotated[
    str, typer.Argument(metavar="VERSION", help="A version, as 'models list' has it.")
]


@app.command("list")
def list_(project: Project = HERE, as_json: AsJson = False) -> None:
    """List the registered versions.

    Example: churnguard models list
    """
    from churnguard.bootstrap import open_shop
    from churnguard.jobs.models import list_models

    rows = list_models(open_shop(project))
    columns = ["version", "champion", "created_at", "auc", "log_loss", "ece", "bundle"]
    text = table(columns, [[row[name] for name in columns] for row in rows])
    answer(rows, as_json=as_json, text=text)


@app.command()
def show(
    version: Annotated[
        str | None,
        typer.Argument(metavar="[VERSION]", help="A version; the champion if not given."),
    ] = None,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Show a version: its card, and whether ledger and MLflow agree on the champion.

    Example: churnguard models show 3
    """
    from churnguard.bootstrap import open_shop
    from churnguard.jobs.models import show_model

    shown = show_model(open_shop(project), version)
    answer(shown, as_json=as_json, text="\n".join([*shown["warnings"], shown["card"]]))


@app.command()
def promote(
    version: Version,
    approved_by: Annotated[str, typer.Option(metavar="NAME", help="Who answers for it.")],
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Make a version champion: copy its bundle, prove it, write the ledger, mirror the alias.

    Example: churnguard models promote 3 --approved-by "Dana Levi" --reason "spring refit"
    """
    from churnguard.bootstrap import open_shop
    from churnguard.jobs.promote import promote as run

    entry = run(open_shop(project), version, approved_by=approved_by, reason=reason)
    answer(
        {"version": entry.version, "bundle": entry.bundle, "approved_by": entry.approved_by},
        as_json=as_json,
        text=f"Version {entry.version} is champion; servers take it up within seconds.",
    )


@app.command()
def history(project: Project = HERE, as_json: AsJson = False) -> None:
    """Show who was champion when, and who approved.

    Example: churnguard models history
    """
    from churnguard.bootstrap import open_shop
    from churnguard.jobs.models import ledger_history

    rows = ledger_history(open_shop(project))
    columns = ["at", "version", "approved_by", "reason", "bundle"]
    text = table(columns, [[row[name] for name in columns] for row in rows])
    answer(rows, as_json=as_json, text=text)
