"""What goes on in the background: loops that carry the outbox, watch the risk, and export.

They run inside ``churnguard serve``, or in ``churnguard worker`` beside it. Each is a step that is
repeated; a step that fails is logged and tried again, later and later, and hurts no other loop.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from churnguard.errors import ChurnGuardError
from churnguard.jobs.champion import ChampionHolder, LoadedChampion
from churnguard.jobs.deliver import deliver_due
from churnguard.jobs.job_book import holder_name
from churnguard.jobs.ports import Lease, Shop
from churnguard.jobs.risk_watch import look_at_events

OUTBOX_SECONDS, WATCH_SECONDS, EXPORT_SECONDS = 1.0, 5.0, 300.0
_LONGEST_PAUSE = 60.0
_LEASE_SECONDS = 30.0

logger = logging.getLogger("churnguard.serving")


@dataclass(frozen=True)
class Loop:
    """Something that is done again and again.

    Attributes
    ----------
    name : str
        For the log.
    seconds : float
        Pause between two steps.
    step : callable
        Does what there is to do; returns whether there is more to be done at once.
    share : float
        Of the time, at most so much is spent in steps, so that answering comes first.
    """

    name: str
    seconds: float
    step: Callable[[], bool]
    share: float = 1.0

    def run(self, stop: threading.Event) -> None:
        """Repeat the step until asked to stop; the step under way is finished."""
        failures = 0
        while not stop.is_set():
            more, begun = False, time.monotonic()
            try:
                more = self.step()
                failures = 0
            except Exception as error:  # noqa: BLE001 - a loop outlives whatever goes wrong in it
                failures += 1
                _log_failure(self.name, error, failures)
            pause = min(self.seconds * 2**failures, max(_LONGEST_PAUSE, self.seconds))
            rest = (time.monotonic() - begun) * (1 / self.share - 1)
            stop.wait(rest if more else max(pause, rest))


def background_loops(shop: Shop, champion: Callable[[], LoadedChampion | None]) -> list[Loop]:
    """Return the loops of a shop.

    Parameters
    ----------
    shop : Shop
        An opened project.
    champion : callable
        Returns who speaks at the moment.
    """
    watching, exporting = Alone(shop, "risk-watch"), Alone(shop, "export")

    def send() -> bool:
        return bool(deliver_due(shop))

    def watch() -> bool:
        if shop.watch.position() == shop.watch.newest() or not watching():
            return False
        return look_at_events(shop, champion()).more

    def export() -> bool:
        if exporting():
            shop.events.export()
        return False

    return [
        Loop("outbox", OUTBOX_SECONDS, send),
        Loop("risk watch", WATCH_SECONDS, watch, share=0.25),
        Loop("export", EXPORT_SECONDS, export),
    ]


def worker_loops(shop: Shop) -> list[Loop]:
    """Return the loops of a process that does not serve, and one that follows the ledger.

    Parameters
    ----------
    shop : Shop
        An opened project.
    """
    holder = ChampionHolder(shop)
    holder.refresh()

    def follow() -> bool:
        holder.refresh()
        return False

    return [*background_loops(shop, holder.current), Loop("champion", 2.0, follow)]


class Alone:
    """Holds a lease from step to step, so that of several processes one does the work.

    Parameters
    ----------
    shop : Shop
        Whose work it is.
    name : str
        The lease.
    """

    def __init__(self, shop: Shop, name: str) -> None:
        self._shop, self._name, self._holder = shop, name, holder_name()
        self._lease: Lease | None = None

    def __call__(self) -> bool:
        """Tell whether the work is ours for the next half minute."""
        now = self._shop.clock()
        until = now + timedelta(seconds=_LEASE_SECONDS)
        if self._lease is not None:
            self._lease = self._shop.work.renew(self._lease, until=until)
        if self._lease is None:
            self._lease = self._shop.work.acquire(
                self._name, holder=self._holder, now=now, until=until
            )
        return self._lease is not None


@contextmanager
def running(loops: Sequence[Loop], *, grace: float = 20.0) -> Iterator[threading.Event]:
    """Run loops in threads of their own for as long as the block runs.

    Parameters
    ----------
    loops : sequence of Loop
        What to repeat.
    grace : float
        Seconds that steps under way are given at the end.
    """
    stop = threading.Event()
    threads = [
        threading.Thread(target=loop.run, args=(stop,), name=f"loop {loop.name}", daemon=True)
        for loop in loops
    ]
    for thread in threads:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=grace)


def _log_failure(name: str, error: Exception, failures: int) -> None:
    facts: dict[str, Any] = {"loop": name, "error": type(error).__name__, "failures": failures}
    if isinstance(error, ChurnGuardError):
        facts["why"] = error.message
    logger.error("loop failed", extra={"facts": facts})
