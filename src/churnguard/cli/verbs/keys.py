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
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what will use the key.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="Such as scores:read; may be repeated. See docs/security.md.",
            show_default="all but the sensitive ones",
        ),
    ] = None,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Make an API key. It is shown once; only its hash is stored.

    Example: churnguard keys create crm --scope scores:read
    """
    from churnguard.bootstrap import open_shop
    from churnguard.jobs.keys import create_key

    shop = open_shop(project)
    key, text = create_key(shop, name, scope)
    say(f"Key {key.key_id} for {name}: {', '.join(key.scopes)}. It is not shown again.")
    answer({"key_id": key.key_id, "key": text, "scopes": key.scopes}, as_json=as_json, text=text)


@app.command("list")
def list_(project: Project = HERE, as_json: AsJson = False) -> None:
    """List the keys, never their secrets.

    Example: churnguard keys list
    """
    from churnguard.bootstrap import open_shop
    from churnguard.clock import iso

    rows = [
        {
            "key_id": key.key_id,
            "name": key.name,
            "scopes": " ".join(key.scopes),
            "created_at": iso(key.created_at.replace(microsecond=0)),
            "revoked_at": iso(key.revoked_at.replace(microsecond=0)) if key.revoked_at else None,
        }
        for key in list(open_shop(project).keys.keys())
    ]
    columns = ["key_id", "name", "scopes", "created_at", "revoked_at"]
    text = table(columns, [[row[name] or "-" for name in columns] for row in rows])
    if not rows:
        text = "There is no key yet. Make one with 'churnguard keys create NAME'."
    answer(rows, as_json=as_json, text=text)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As 'keys list' shows it.")],
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Revoke a key at once.

    Example: churnguard keys revoke 45272a6c797ee837
    """
    from churnguard.bootstrap import open_shop

    shop = open_shop(project)
    if not shop.keys.revoke(key_id, now=shop.clock()):
        raise StoreError(f"There is no live key '{key_id}'.", hint="See 'churnguard keys list'.")
    answer({"revoked": key_id}, as_json=as_json, text=f"{key_id} is revoked.")


@app.command("new-signing")
def new_signing(project: Project = HERE, as_json: AsJson = False) -> None:
    """Make a new key pair to sign models with.

    Keys that are trusted already stay trusted.

    Example: churnguard keys new-signing
    """
    from churnguard.project.layout import Layout
    from churnguard.project.settings import read_settings
    from churnguard.project.template import create_signing_key

    read_settings(project)
    name = create_signing_key(Layout(project.resolve()))
    answer({"fingerprint": name}, as_json=as_json, text=f"serving/trust/{name}.pem is trusted now.")
