"""Starts servers by forking a process that has everything imported: a hundred take seconds.

Each is a process of its own all the same, opens its own store, and dies like any other.
"""

from __future__ import annotations

import json
import os
import signal
import sys


def _become_server(order: dict) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    for name, number in ((order["out"], 1), (order["err"], 2)):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    os.environ.update(order["environ"])
    sys.argv = ["churnguard", *order["words"]]
    from churnguard.cli import main

    main()


def _wait_for_orders() -> None:
    from churnguard.serving.guests import lock_out

    lock_out()
    import churnguard.bootstrap
    import churnguard.cli.verbs.serve
    import churnguard.serving.server
    import churnguard.store.events
    import churnguard.store.scores  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are buried at once
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become_server(json.loads(line))
            os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _wait_for_orders()
