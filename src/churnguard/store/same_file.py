"""Notices that a store's file was taken away, or another put in its place, while it is in use.

Connections to a file that is gone go on working, and all that they commit goes with it. SQLite
would even take the new file's log of writes for its own as the last of them is closed. So nothing
is read or written any more, and nothing is acknowledged, until the process is started again.
"""

from __future__ import annotations

import os
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from churnguard.errors import StoreUnavailable

_SEEN: WeakKeyDictionary[sa.Engine, tuple[int, int]] = WeakKeyDictionary()


def demand_same_file(engine: sa.Engine) -> None:
    """Refuse to go on with a store in SQLite whose file is not the one that was opened.

    Raises
    ------
    StoreUnavailable
        If it is gone, or another one.
    """
    file = engine.url.database
    if engine.dialect.name != "sqlite" or not file or file == ":memory:":
        return
    try:
        status = os.stat(file)  # noqa: PTH116 - asked at every use; a Path costs as much again
    except FileNotFoundError:
        if engine not in _SEEN:
            return  # the first connection makes it
        found = None
    else:
        found = (status.st_dev, status.st_ino)
    if found is None or _SEEN.setdefault(engine, found) != found:
        raise StoreUnavailable(
            "The store's file was taken away or replaced while it was in use.",
            hint="Start this process again; stop it first, next time a backup is restored.",
        )
