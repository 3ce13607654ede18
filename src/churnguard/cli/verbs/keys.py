"""``churnguard keys``."""

from __future__ import annotations

from typing import Annotated

import typer

from churnguard.cli.answers import answer, say, table
from churnguard.cli.options import HERE, AsJson, Project
from churnguard.errors import StoreError

app = typer.Typer(
    help="API keys, and the key that signs bundles.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what will use the key.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="scores:read, actions:write, desk; may be repeated.", show_default="all"),
    ] = None,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Make an API key. It is shown once; only a hash of it is stored.

    Example: churnguard keys create crm --scope scores:read
    """
    from churnguard.bootstrap import open_shop
    from churnguard.jobs.keys import create_key

    shop = open_shop(project)
    key, text = create_key(shop, name, scope)
    say(f"Scopes: {', '.join(key.scopes)}. Keep it now; it is not shown again.")
    answer({"key_id": key.key_id, "key": text, "scopes": key.scopes}, as_json=as_json, text=text)


@app.command("list")
def list_(project: Project = HERE, as_json: AsJson = False) -> None:
    """List the keys, never their secrets.

    Example: churnguard keys list
    """
    from churnguard.bootstrap import open_shop

    rows = [
        {
            "key_id": key.key_id,
            "name": key.name,
            "scopes": " ".join(key.scopes),
            "created_at": key.created_at.isoformat(timespec="seconds"),
            "revoked_at": key.revoked_at.isoformat(timespec="seconds") if key.revoked_at else "-",
        }
        for key in list(open_shop(project).keys.keys())
    ]
    columns = ["key_id", "name", "scopes", "created_at", "revoked_at"]
    text = table(columns, [[row[name] for name in columns] for row in rows])
    answer(rows, as_json=as_json, text=text)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As 'keys list' shows it.")],
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Revoke a key at once.

    Example: churnguard keys revoke 3f9a2c
    """
    from churnguard.bootstrap import open_shop

    shop = open_shop(project)
    if not shop.keys.revoke(key_id, now=shop.clock()):
        raise StoreError(f"There is no live key '{key_id}'.", hint="See 'churnguard keys list'.")
    answer({"revoked": key_id}, as_json=as_json, text=f"{key_id} is revoked.")


@app.command("new-signing")
def new_signing(project: Project = HERE, as_json: AsJson = False) -> None:
    """Make a new key pair to sign bundles; keys that are trusted already stay trusted.

    Example: churnguard keys new-signing
    """
    from churnguard.project.layout import Layout
    from churnguard.project.settings import read_settings
    from churnguard.project.template import create_signing_key

    read_settings(project)
    name = create_signing_key(Layout(project.resolve()))
    answer({"fingerprint": name}, as_json=as_json, text=f"serving/trust/{name}.pem is trusted now.")
