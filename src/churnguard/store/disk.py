"""What a disk may do to the store: be full, or fail to sync.

A full disk is told and recovers by itself. After a failed sync nobody knows what is on the disk:
the kernel may drop the pages and report success the next time (Rebello et al., "Can Applications
Recover from fsync Failures?", USENIX ATC 2020). So nothing is written any more until the process is
started again and reads what there is.
"""

from __future__ import annotations

from weakref import WeakSet

import sqlalchemy as sa

from churnguard.errors import StoreFull, StoreUnavailable

_NOT_SYNCED = frozenset({"SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC"})
_UNSURE: WeakSet[sa.Engine] = WeakSet()


def demand_writable(engine: sa.Engine) -> None:
    """Refuse to write where a sync has failed.

    Raises
    ------
    StoreUnavailable
        If one has, since this process began.
    """
    if engine in _UNSURE:
        raise StoreUnavailable(
            "The disk failed to sync, so nothing is written any more.",
            hint="Look after the disk, then start ChurnGuard again.",
        )


def disk_error(engine: sa.Engine, error: BaseException) -> StoreUnavailable | None:
    """Return what a driver's error says about the disk, and remember a failed sync."""
    cause = getattr(error, "orig", error)
    name = getattr(cause, "sqlite_errorname", "")
    if name == "SQLITE_FULL" or getattr(cause, "sqlstate", "") == "53100":
        return StoreFull(
            "The disk of the store is full.",
            hint="Nothing of this call was stored: make room, then send it again.",
        )
    if name in _NOT_SYNCED:
        _UNSURE.add(engine)
        return StoreUnavailable("The disk of the store failed to sync.")
    return None
