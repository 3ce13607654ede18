"""``churnguard serve``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from churnguard.cli.answers import answer, say
from churnguard.cli.options import HERE, AsJson

if TYPE_CHECKING:
    from churnguard.jobs.ports import Shop

Projects = Annotated[
    list[Path] | None,
    typer.Option(
        "--project",
        help="The project's folder (the one with churnguard.toml); may be repeated.",
        show_default="$CHURNGUARD_PROJECT, or this folder",
    ),
]


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    project: Projects = None,
    as_json: AsJson = False,
) -> None:
    """Serve the API and the desk until Ctrl-C.

    Several projects may be named: each keeps its own store, keys and models, and the API key or the
    desk's session says which of them a request is for.

    Example: churnguard serve --port 8000
    """
    from churnguard.serving.guests import lock_out

    lock_out()
    from churnguard.bootstrap import open_shop
    from churnguard.serving.access_log import log_json_lines
    from churnguard.serving.server import Server

    log_json_lines()

    folders = project or [Path(os.environ.get("CHURNGUARD_PROJECT") or HERE)]
    shops = [open_shop(folder, patient=True) for folder in folders]
    for shop in shops:
        _say_what_is_missing(shop)
    server = Server(*shops, host=host, port=port)
    places = {"api": f"{server.url}/v1", "desk": f"{server.url}/desk", "docs": f"{server.url}/docs"}
    names = ", ".join(shop.settings.name for shop in shops)
    lines = [f"{names} {'is' if len(shops) == 1 else 'are'} served until Ctrl-C:"]
    lines += [f"  {name:<4}  {url}" for name, url in places.items()]
    answer(places, as_json=as_json, text="\n".join(lines))
    server.run()


def _say_what_is_missing(shop: Shop) -> None:
    from churnguard.errors import StoreUnavailable

    try:
        if not shop.keys.keys():
            say("There is no API key yet. Make one with 'churnguard keys create NAME'.")
    except StoreUnavailable as error:
        say(f"{error.message} It is tried again until it answers.")
