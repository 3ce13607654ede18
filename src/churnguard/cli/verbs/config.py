"""``churnguard config``."""

from __future__ import annotations

import json

import typer

from churnguard.cli.answers import answer, table
from churnguard.cli.options import HERE, AsJson, Project

app = typer.Typer(help="Settings in force.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def show(project: Project = HERE, as_json: AsJson = False) -> None:
    """Show each setting, and where it comes from; secrets are only said to be there or not.

    Example: churnguard config show --json
    """
    from churnguard.project.settings import explain_settings

    rows = explain_settings(project)
    answer(
        {name: {"value": value, "from": origin} for name, value, origin in rows},
        as_json=as_json,
        text=table(
            ["setting", "value", "from"],
            [(name, _readable(value), origin) for name, value, origin in rows],
        ),
    )


def _readable(value: object) -> str:
    """Return a value as one would write it in churnguard.toml."""
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value)
