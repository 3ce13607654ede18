"""``churnguard keys``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from churnguard.cli.answers import answer, say, table
from churnguard.cli.options import HERE, AsJson, Project
from churnguard.cli.whoami import actor

if TYPE_CHECKING:
    from churnguard.jobs.ports import ApiKey

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
    days: Annotated[
        int | None,
        typer.Option(min=1, max=36_500, help="After how many days it ends.", show_default="never"),
    ] = None,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Make an API key. It is shown once; only its hash is stored.

    Example: churnguard keys create crm --scope scores:read
    """
    from churnguard.bootstrap import open_shop
    from churnguard.jobs.keys import create_key

    made = create_key(open_shop(project), name, scope, actor=actor(), days=days)
    _show(made, f"for {name}: {', '.join(made[0].scopes)}", as_json=as_json)


@app.command()
def rotate(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As 'keys list' shows it.")],
    overlap: Annotated[
        str, typer.Option(metavar="TIME", help="How long the old key stays good (0s, 36h, 2d).")
    ] = "24h",
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Make the successor of a key. Both are good until the overlap ends.

    Example: churnguard keys rotate 45272a6c797ee837 --overlap 24h
    """
    from churnguard.bootstrap import open_shop
    from churnguard.events.times import lag_us
    from churnguard.jobs.keys import rotate_key

    time = timedelta(microseconds=lag_us(overlap))
    made = rotate_key(open_shop(project), key_id, overlap=time, actor=actor())
    _show(made, f"replaces {key_id}, which ends in {overlap}", as_json=as_json)


def _show(made: tuple[ApiKey, str], told: str, *, as_json: bool) -> None:
    """Show a new key, this once."""
    key, text = made
    say(f"Key {key.key_id} {told}. It is not shown again.")
    shape = {"key_id": key.key_id, "key": text, "scopes": key.scopes, "replaces": key.replaces}
    answer(shape, as_json=as_json, text=text)


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
            "created_at": _told(key.created_at),
            "expires_at": _told(key.expires_at),
            "revoked_at": _told(key.revoked_at),
            "last_used_at": _told(key.last_used_at),
            "replaces": key.replaces,
        }
        for key in list(open_shop(project).keys.keys())
    ]
    columns = ["key_id", "name", "scopes", "expires_at", "revoked_at", "last_used_at"]
    text = table(columns, [[row[name] or "-" for name in columns] for row in rows])
    if not rows:
        text = "There is no key yet. Make one with 'churnguard keys create NAME'."
    answer(rows, as_json=as_json, text=text)


def _told(instant: datetime | None) -> str | None:
    from churnguard.clock import iso

    return iso(instant.replace(microsecond=0)) if instant else None


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
    from churnguard.jobs.keys import revoke_key

    revoke_key(open_shop(project), key_id, actor=actor())
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
