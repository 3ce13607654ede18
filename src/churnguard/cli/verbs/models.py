"""``churnguard models``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from churnguard.cli.answers import answer, short_digest, table
from churnguard.cli.options import HERE, AsJson, Project

app = typer.Typer(
    help="The models there are, the champion, and who approved it.",
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
    text = table(columns, [_readable(row, columns) for row in rows])
    if not rows:
        text = "There is no model yet. Train one with 'churnguard train'."
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
    """Show a version's card.

    Says so if the ledger and MLflow disagree about who is champion.

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
    """Make a version the champion that is served.

    Its bundle is copied and proven, the ledger is written, and MLflow's alias follows.

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
def rollback(
    approved_by: Annotated[str, typer.Option(metavar="NAME", help="Who answers for it.")],
    to: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION", help="An earlier champion.", show_default="the one before this"
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Make an earlier champion the champion again.

    Nothing is erased: the ledger keeps both changes.

    Example: churnguard models rollback --approved-by "Dana Levi" --reason "too many alerts"
    """
    from churnguard.bootstrap import open_shop
    from churnguard.jobs.promote import rollback as run

    entry = run(open_shop(project), approved_by=approved_by, reason=reason, to=to)
    answer(
        {"version": entry.version, "bundle": entry.bundle, "approved_by": entry.approved_by},
        as_json=as_json,
        text=f"Version {entry.version} is champion again; servers take it up within seconds.",
    )


@app.command()
def history(
    at: Annotated[
        str | None,
        typer.Option(metavar="T", help="Only who was champion then: a date, or an instant."),
    ] = None,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Show who was champion when, and who approved.

    Example: churnguard models history --at 2026-05-03
    """
    from churnguard.bootstrap import open_shop
    from churnguard.jobs.ledger import ledger_history

    rows = ledger_history(open_shop(project), at=at)
    columns = ["at", "until", "version", "approved_by", "reason", "bundle"]
    text = table(columns, [_readable(row, columns) for row in rows])
    if not rows:
        text = f"There was no champion {'then' if at else 'yet'}."
    answer(rows, as_json=as_json, text=text)


@app.command()
def shadow(version: Version, project: Project = HERE, as_json: AsJson = False) -> None:
    """Compare a version that scored in the shadow with the champion.

    How far they agree each night and, once a horizon has passed, which was right.

    Example: churnguard models shadow 4
    """
    from churnguard.bootstrap import open_shop
    from churnguard.cli.progress import progress
    from churnguard.jobs.shadow_report import shadow_report

    with progress(as_json=as_json) as report:
        result = shadow_report(open_shop(project), version, progress=report)
    answer(result.to_dict(), as_json=as_json, text=result.to_text())


def _readable(row: dict[str, Any], columns: list[str]) -> list[str]:
    """Return a row's cells for a person: yes or nothing, and digests cut short."""
    shown = row | {"bundle": short_digest(row["bundle"])}
    if "champion" in row:
        shown["champion"] = "yes" if row["champion"] else ""
    return ["" if shown[name] is None else str(shown[name]) for name in columns]
