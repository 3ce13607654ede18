"""A book of work in memory, with the promises of the real one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from churnguard.errors import LeaseLost
from churnguard.jobs.ports import Job, Lease


class FakeWorkBook:
    """Keep jobs, steps and leases in dictionaries.

    Examples
    --------
    >>> from datetime import timedelta
    >>> from churnguard.testing import NOON
    >>> work = FakeWorkBook()
    >>> soon = NOON + timedelta(minutes=1)
    >>> work.acquire("daily", holder="a", now=NOON, until=soon).token
    1
    >>> work.acquire("daily", holder="b", now=NOON, until=soon) is None
    True
    """

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._steps: dict[str, dict[str, Mapping[str, Any]]] = {}
        self._leases: dict[str, Lease] = {}

    def begin(self, job_id: str, kind: str, arguments: Mapping[str, Any], *, now: datetime) -> Job:
        """Start a job, or go on with it."""
        found = self._jobs.get(job_id)
        if found is None:
            found = Job(job_id, kind, dict(arguments), "running", 1, now)
        elif found.state != "done":
            found = replace(found, state="running", attempts=found.attempts + 1, error=None)
        self._jobs[job_id] = found
        return found

    def job(self, job_id: str) -> Job | None:
        """Return a job."""
        return self._jobs.get(job_id)

    def steps(self, job_id: str) -> Mapping[str, Mapping[str, Any]]:
        """Return what the finished steps of a job answered."""
        return dict(self._steps.get(job_id, {}))

    def finish_step(
        self, job_id: str, step: str, answer: Mapping[str, Any], *, now: datetime, lease: Lease
    ) -> None:
        """Write down that a step is done."""
        del now
        self._hold(lease)
        self._steps.setdefault(job_id, {})[step] = dict(answer)

    def finish(
        self,
        job_id: str,
        *,
        now: datetime,
        lease: Lease,
        answer: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> Job:
        """End a job, done or failed."""
        self._hold(lease)
        ended = replace(
            self._jobs[job_id],
            state="done" if error is None else "failed",
            finished_at=now,
            answer=answer,
            error=error,
        )
        self._jobs[job_id] = ended
        return ended

    def acquire(self, name: str, *, holder: str, now: datetime, until: datetime) -> Lease | None:
        """Take a lease that nobody holds (any more)."""
        found = self._leases.get(name)
        if found is not None and found.holds(now):
            return None
        self._leases[name] = Lease(name, holder, found.token + 1 if found else 1, until)
        return self._leases[name]

    def renew(self, lease: Lease, *, until: datetime) -> Lease | None:
        """Hold a lease longer; None if it went to somebody else."""
        if self._leases[lease.name].token != lease.token:
            return None
        self._leases[lease.name] = replace(lease, until=until)
        return self._leases[lease.name]

    def release(self, lease: Lease) -> None:
        """Give a lease back."""
        self.renew(lease, until=datetime(1970, 1, 1, tzinfo=UTC))

    def lease(self, name: str) -> Lease | None:
        """Return who holds, or last held, a lease."""
        return self._leases.get(name)

    def prune(self, before: datetime) -> int:
        """Forget jobs that ended before an instant."""
        rows = self._jobs.values()
        old = [job.job_id for job in rows if job.finished_at and job.finished_at < before]
        for job_id in old:
            del self._jobs[job_id]
            self._steps.pop(job_id, None)
        return len(old)

    def _hold(self, lease: Lease) -> None:
        if self._leases[lease.name].token != lease.token:
            raise LeaseLost(f"'{lease.name}' was taken over by another process.")
