"""``churnguard serve``."""

from __future__ import annotations

from typing import Annotated

import typer

from churnguard.cli.answers import answer, say
from churnguard.cli.options import HERE, AsJson, Project


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Serve the API and the desk until Ctrl-C.

    Example: churnguard serve --port 8000
    """
    from churnguard.serving.guests import lock_out

    lock_out()
    from churnguard.bootstrap import open_shop
    from churnguard.serving.access_log import log_json_lines
    from churnguard.serving.server import Server

    log_json_lines()

    shop = open_shop(project)
    if not shop.keys.keys():
        say("There is no API key yet. Make one with 'churnguard keys create NAME'.")
    server = Server(shop, host=host, port=port)
    places = {"api": f"{server.url}/v1", "desk": f"{server.url}/desk", "docs": f"{server.url}/docs"}
    lines = [f"{shop.settings.name} is served until Ctrl-C:"]
    lines += [f"  {name:<4}  {url}" for name, url in places.items()]
    answer(places, as_json=as_json, text="\n".join(lines))
    server.run()
