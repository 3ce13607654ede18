"""How a long job is done: alone, in steps that are done once, and so that killing it does no harm.

A lease lets one process in; a heartbeat keeps it while the process lives, and it ends by itself
when the process does not. Each step is written down with its answer, under the lease's token: who
comes next goes on after the last one.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from churnguard.clock import iso
from churnguard.errors import JobInterrupted, LeaseHeld, LeaseLost, StoreError
from churnguard.jobs.ports import Lease, Shop

LEASE_SECONDS = 60.0
"""How long after its holder died a lease is free again."""

_POLL_SECONDS = 0.5

Answer = Mapping[str, Any]


def holder_name() -> str:
    """Return a name for this process, different from all others.

    Examples
    --------
    >>> holder_name() != holder_name()
    True
    """
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


@contextmanager
def holding(
    shop: Shop,
    name: str,
    *,
    seconds: float = LEASE_SECONDS,
    wait: float = 0.0,
    done: Callable[[], bool] = lambda: False,
) -> Iterator[Lease | None]:
    """Hold a lease for as long as the block runs, renewing it from a thread.

    Parameters
    ----------
    shop : Shop
        Whose work it is.
    name : str
        What is done alone.
    seconds : float
        How long the lease outlives its holder.
    wait : float
        Seconds to wait for a lease that somebody else holds.
    done : callable
        Tells, while waiting, that there is nothing left to be done; None is given then.

    Raises
    ------
    LeaseHeld
        If somebody else still holds it after the wait.
    """
    lease = _acquired(shop, name, seconds=seconds, wait=wait, done=done)
    if lease is None:
        yield None
        return
    ended = threading.Event()
    heart = threading.Thread(target=_beat, args=(shop, lease, seconds, ended), daemon=True)
    heart.start()
    try:
        yield lease
    finally:
        ended.set()
        heart.join()
        shop.work.release(lease)


def _acquired(
    shop: Shop, name: str, *, seconds: float, wait: float, done: Callable[[], bool]
) -> Lease | None:
    holder, end = holder_name(), time.monotonic() + wait
    while True:
        now = shop.clock()
        until = now + timedelta(seconds=seconds)
        lease = shop.work.acquire(name, holder=holder, now=now, until=until)
        if lease is not None:
            return lease
        if done():
            return None
        if time.monotonic() >= end:
            raise _held(shop.work.lease(name), name)
        time.sleep(_POLL_SECONDS)


def _held(lease: Lease | None, name: str) -> LeaseHeld:
    where = f" by {lease.holder.rpartition(':')[0]} until {iso(lease.until)}" if lease else ""
    return LeaseHeld(
        f"The work '{name}' is being done{where}.",
        hint="If that process has died, the work is free again by then; --wait waits for it.",
    )


def _beat(shop: Shop, lease: Lease, seconds: float, ended: threading.Event) -> None:
    """Renew a lease until it is over or lost; a store that is away for a moment is asked again."""
    while not ended.wait(seconds / 4):
        try:
            if shop.work.renew(lease, until=shop.clock() + timedelta(seconds=seconds)) is None:
                return
        except StoreError:
            continue


@dataclass
class Steps:
    """The steps of one job, in the hands of who holds its lease.

    Parameters
    ----------
    shop : Shop
        Whose job it is.
    job_id : str
        Which one.
    lease : Lease
        The right to do it.
    stopping : callable
        Tells that the process has been asked to end.
    """

    shop: Shop
    job_id: str
    lease: Lease
    stopping: Callable[[], bool] = lambda: False
    done: dict[str, Answer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.done.update(self.shop.work.steps(self.job_id))

    def once(self, step: str, work: Callable[[], Answer]) -> Answer:
        """Return what a step answered, doing it if that has not been done yet.

        Raises
        ------
        JobInterrupted
            If the process was asked to end; nothing is begun then.
        LeaseLost
            If another process has taken the job over.
        """
        if step in self.done:
            return self.done[step]
        if self.stopping():
            raise JobInterrupted(
                f"Stopped before the step '{step}'; {len(self.done)} steps are done.",
                hint="Run the same command again: it goes on from here.",
            )
        answer = work()
        self.shop.work.finish_step(
            self.job_id, step, answer, now=self.shop.clock(), lease=self.lease
        )
        self.done[step] = answer
        return answer


@contextmanager
def failing_well(shop: Shop, job_id: str, lease: Lease) -> Iterator[None]:
    """Mark a job failed where the block fails, so that nobody takes it for running."""
    try:
        yield
    except (JobInterrupted, LeaseLost):
        raise
    except Exception as error:
        why = getattr(error, "message", None) or type(error).__name__
        with suppress(StoreError):  # what went wrong first is what is told
            shop.work.finish(job_id, now=shop.clock(), lease=lease, error=why)
        raise
