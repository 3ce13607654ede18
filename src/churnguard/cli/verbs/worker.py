"""``churnguard worker``."""

from __future__ import annotations

from churnguard.cli.answers import answer
from churnguard.cli.options import HERE, AsJson, Project


def worker(project: Project = HERE, as_json: AsJson = False) -> None:
    """Run the background loops until Ctrl-C or SIGTERM.

    They carry the outbox, watch the risk and export the history.

    'churnguard serve' runs them itself, unless the setting background_loops is false. Several
    workers may run: of one shop, one at a time watches, and each message is sent by one of them.

    Example: churnguard worker
    """
    from churnguard.bootstrap import open_shop
    from churnguard.cli.stopping import stop_asked
    from churnguard.jobs.loops import running, worker_loops
    from churnguard.serving.access_log import log_json_lines

    log_json_lines()
    shop = open_shop(project)
    loops = worker_loops(shop)
    with stop_asked() as stop, running(loops):
        names = [loop.name for loop in loops]
        text = f"{shop.settings.name}: {', '.join(names)}, until Ctrl-C"
        answer({"loops": names}, as_json=as_json, text=text)
        stop.wait()
