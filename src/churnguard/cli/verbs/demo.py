"""``churnguard demo``: the main job on a made-up shop, by the commands a shop would type."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from churnguard.cli.answers import answer, say
from churnguard.cli.options import AsJson
from churnguard.errors import ChurnGuardError

if TYPE_CHECKING:
    from churnguard.jobs.ports import Shop
    from churnguard.serving.server import Server


def demo(
    directory: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="The demo's project; made anew each time.")
    ] = Path(".demo"),
    customers: Annotated[int, typer.Option(min=400, help="How many customers.")] = 1000,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port.", show_default="8000, or a free one where that is taken"
        ),
    ] = None,
    minutes: Annotated[float, typer.Option(min=0, max=30, help="Stop by itself after this.")] = 30,
    check: Annotated[
        bool, typer.Option("--check", envvar="DEMO_CHECK", help="Fetch the page once and exit.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate a shop, train, score and serve its page until Ctrl-C.

    Example: churnguard demo --customers 1000
    """
    from churnguard.serving.guests import lock_out

    _prepare(directory, customers)
    lock_out()
    from churnguard.bootstrap import open_shop

    server = _server(open_shop(directory), port)
    if check:
        with server.in_background() as url:
            page = _fetch(f"{url}/desk")
        answer(page, as_json=as_json, text=f"{page['url']} answered {page['status']}.")
        return
    desk = f"{server.url}/desk"
    answer({"desk": desk}, as_json=as_json, text=f"\nOpen {desk}   (in Hebrew: {desk}?lang=he)")
    say(f"Serving until Ctrl-C, {minutes:g} minutes at most.")
    server.run(seconds=minutes * 60)


def _server(shop: Shop, port: int | None) -> Server:
    """Listen where asked; unasked on the usual port, or on a free one where that is taken."""
    from churnguard.serving.server import AddressTaken, Server

    try:
        return Server(shop, host="127.0.0.1", port=8000 if port is None else port, open_desk=True)
    except AddressTaken:
        if port is not None:
            raise
        return Server(shop, host="127.0.0.1", port=0, open_desk=True)


def _prepare(directory: Path, customers: int) -> None:
    """Run the main job's commands one by one, each in a process of its own, as a shop would."""
    if directory.exists():
        _check_is_demo(directory)
        shutil.rmtree(directory)
    here = ("--project", str(directory))
    events = directory / "simulated" / "shop.parquet"
    _run("init", str(directory), "--name", "demo", *_PLACE)
    (directory / _MARKER).touch()
    events.parent.mkdir()
    _run("simulate", "--customers", str(customers), "--out", str(events), *_PLACE, *_LIVELY)
    _run("ingest", str(events), *here)
    _run("ingest", str(events.with_suffix(".customers.parquet")), "--kind", "customers", *here)
    _run("train", *here)
    _run("score", *here)


_MARKER = ".churnguard-demo"
_PLACE = ("--timezone", "Asia/Jerusalem", "--currency", "ILS")
_LIVELY = ("--days", "600", "--pace", "2.2", "--leaving", "0.35")  # livelier than a gift shop


def _check_is_demo(directory: Path) -> None:
    if not (directory / _MARKER).exists():
        raise ChurnGuardError(
            f"{directory} was not made by the demo, so it is left alone.",
            hint="Name another folder with --dir.",
        )


def _run(*words: str) -> None:
    say(f"$ churnguard {' '.join(words)}")
    command = [sys.executable, "-m", "churnguard.cli", *words]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)  # noqa: S603 (our own)
    if done.returncode:
        raise ChurnGuardError(
            f"The demo stopped at 'churnguard {words[0]}'.", hint="Its message is above."
        )


def _fetch(url: str) -> dict[str, Any]:
    """Fetch a page and make sure that it lists customers."""
    from urllib.request import urlopen

    with urlopen(url, timeout=30) as reply:  # noqa: S310 (our own server)
        text = reply.read().decode()
    if "/desk/customers/" not in text:
        raise ChurnGuardError(f"{url} answered, but lists no customer.")
    return {"url": url, "status": reply.status, "bytes": len(text)}
