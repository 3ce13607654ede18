"""``churnguard db``."""

from __future__ import annotations

import typer

from churnguard.cli.answers import answer
from churnguard.cli.options import HERE, AsJson, Project

app = typer.Typer(help="The store's schema.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _db() -> None:
    """Look after the store's schema."""


@app.command()
def upgrade(project: Project = HERE, as_json: AsJson = False) -> None:
    """Bring the store's schema up to date, all of it or nothing; run twice, it does it once.

    A SQLite file does so by itself. PostgreSQL waits for this: servers of the version before may go
    on working meanwhile, since each step only adds.

    Example: churnguard db upgrade
    """
    from churnguard.bootstrap import upgrade_store

    before, now = upgrade_store(project)
    text = f"The store has schema {now}"
    text += " already." if before == now else f"; before: {before or 'none, it was empty'}."
    answer({"before": before, "now": now}, as_json=as_json, text=text)
