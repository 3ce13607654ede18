"""The port for work: jobs with steps that are done once, and leases for what one does alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from churnguard.store.service_records import Job, Lease


class WorkBook(Protocol):
    """Jobs, their steps and leases."""

    def begin(self, job_id: str, kind: str, arguments: Mapping[str, Any], *, now: datetime) -> Job:
        """Start a job, or go on with it: one more attempt. One that is done stays as it is."""

    def job(self, job_id: str) -> Job | None:
        """Return a job."""

    def steps(self, job_id: str) -> Mapping[str, Mapping[str, Any]]:
        """Return what the finished steps of a job answered, in the order they were done."""

    def finish_step(
        self, job_id: str, step: str, answer: Mapping[str, Any], *, now: datetime, lease: Lease
    ) -> None:
        """Write down that a step is done; ``LeaseLost`` if the lease is another's by now."""

    def finish(
        self,
        job_id: str,
        *,
        now: datetime,
        lease: Lease,
        answer: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> Job:
        """End a job, done or failed (``error``); ``LeaseLost`` if the lease is another's."""

    def acquire(self, name: str, *, holder: str, now: datetime, until: datetime) -> Lease | None:
        """Take a lease that nobody holds (any more); None while somebody does."""

    def renew(self, lease: Lease, *, until: datetime) -> Lease | None:
        """Hold a lease longer; None if it went to somebody else."""

    def release(self, lease: Lease) -> None:
        """Give a lease back; nothing happens if it went to somebody else."""

    def lease(self, name: str) -> Lease | None:
        """Return who holds, or last held, a lease."""

    def prune(self, before: datetime) -> int:
        """Forget jobs that ended before an instant; return how many."""
