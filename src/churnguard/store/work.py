"""The real book of work: jobs, their steps, and leases in SQL.

A step is written down only by whoever holds the lease at that moment, checked in the same
transaction: a process that slept through the end of its lease cannot write over its successor.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from churnguard.clock import from_us, to_us
from churnguard.errors import LeaseLost, StoreError
from churnguard.store.database import reading, writing
from churnguard.store.service_records import Job, Lease
from churnguard.store.service_tables import job, job_step, lease


class SqlWorkBook:
    """Jobs and leases.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`churnguard.store.database.open_database`.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    # -- jobs -------------------------------------------------------------------------------

    def begin(self, job_id: str, kind: str, arguments: Mapping[str, Any], *, now: datetime) -> Job:
        """Start a job, or go on with it: one more attempt. One that is done stays as it is."""
        mine = job.c.job_id == job_id
        with writing(self._engine) as connection:
            found = _job(connection, job_id)
            if found is None:
                made = {"kind": kind, "arguments": _json(arguments), "created_at": to_us(now)}
                row = made | {"job_id": job_id, "state": "running", "attempts": 1}
                connection.execute(sa.insert(job).values(**row))
            elif found.state != "done":
                again = {"state": "running", "attempts": found.attempts + 1, "error": None}
                connection.execute(sa.update(job).where(mine).values(**again))
            return _known(connection, job_id)

    def job(self, job_id: str) -> Job | None:
        """Return a job."""
        with reading(self._engine) as connection:
            return _job(connection, job_id)

    def steps(self, job_id: str) -> Mapping[str, Mapping[str, Any]]:
        """Return what the finished steps of a job answered, in the order they were done."""
        query = (
            sa.select(job_step.c.step, job_step.c.answer)
            .where(job_step.c.job_id == job_id)
            .order_by(job_step.c.done_at, job_step.c.step)
        )
        with reading(self._engine) as connection:
            return {str(row.step): orjson.loads(row.answer) for row in connection.execute(query)}

    def finish_step(
        self, job_id: str, step: str, answer: Mapping[str, Any], *, now: datetime, lease: Lease
    ) -> None:
        """Write down that a step is done.

        Raises
        ------
        LeaseLost
            If the lease is another's by now; nothing is written then.
        """
        with writing(self._engine) as connection:
            _hold(connection, lease)
            mine = sa.and_(job_step.c.job_id == job_id, job_step.c.step == step)
            connection.execute(sa.delete(job_step).where(mine))
            values = {"done_at": to_us(now), "answer": _json(answer)}
            connection.execute(sa.insert(job_step).values(job_id=job_id, step=step, **values))

    def finish(
        self,
        job_id: str,
        *,
        now: datetime,
        lease: Lease,
        answer: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> Job:
        """End a job, done or failed (``error``).

        Raises
        ------
        LeaseLost
            If the lease is another's by now; nothing is written then.
        """
        values = {
            "state": "done" if error is None else "failed",
            "finished_at": to_us(now),
            "answer": None if answer is None else _json(answer),
            "error": error,
        }
        with writing(self._engine) as connection:
            _hold(connection, lease)
            connection.execute(sa.update(job).where(job.c.job_id == job_id).values(**values))
            return _known(connection, job_id)

    def prune(self, before: datetime) -> int:
        """Forget jobs that ended before an instant; return how many."""
        old = job.c.finished_at < to_us(before)
        theirs = sa.select(job.c.job_id).where(old)
        with writing(self._engine) as connection:
            connection.execute(sa.delete(job_step).where(job_step.c.job_id.in_(theirs)))
            return connection.execute(sa.delete(job).where(old)).rowcount

    # -- leases -----------------------------------------------------------------------------

    def acquire(self, name: str, *, holder: str, now: datetime, until: datetime) -> Lease | None:
        """Take a lease that nobody holds (any more); None while somebody does."""
        with writing(self._engine) as connection:
            found = _lease(connection, name)
            if found is None:
                made = Lease(name, holder, 1, until)
                connection.execute(sa.insert(lease).values(**_values(made)))
                return made
            if found.holds(now):
                return None
            made = Lease(name, holder, found.token + 1, until)
            connection.execute(sa.update(lease).where(lease.c.name == name).values(**_values(made)))
            return made

    def renew(self, lease: Lease, *, until: datetime) -> Lease | None:
        """Hold a lease longer; None if it went to somebody else."""
        return self._set(lease, until)

    def release(self, lease: Lease) -> None:
        """Give a lease back; nothing happens if it went to somebody else."""
        self._set(lease, from_us(0))

    def _set(self, held: Lease, until: datetime) -> Lease | None:
        mine = sa.and_(lease.c.name == held.name, lease.c.token == held.token)
        with writing(self._engine) as connection:
            change = sa.update(lease).where(mine).values(until=to_us(until))
            if connection.execute(change).rowcount != 1:
                return None
        return Lease(held.name, held.holder, held.token, until)

    def lease(self, name: str) -> Lease | None:
        """Return who holds, or last held, a lease."""
        with reading(self._engine) as connection:
            return _lease(connection, name)


def _hold(connection: sa.Connection, held: Lease) -> None:
    """Make sure, within a transaction, that a lease has gone to nobody else."""
    found = _lease(connection, held.name)
    if found is None or found.token != held.token:
        raise LeaseLost(
            f"'{held.name}' was taken over by another process.",
            hint="It goes on with the same work; nothing has to be done.",
        )


def _job(connection: sa.Connection, job_id: str) -> Job | None:
    row = connection.execute(sa.select(job).where(job.c.job_id == job_id)).first()
    if row is None:
        return None
    return Job(
        job_id=row.job_id,
        kind=row.kind,
        arguments=orjson.loads(row.arguments),
        state=row.state,
        attempts=row.attempts,
        created_at=from_us(row.created_at),
        finished_at=None if row.finished_at is None else from_us(row.finished_at),
        answer=None if row.answer is None else orjson.loads(row.answer),
        error=row.error,
    )


def _known(connection: sa.Connection, job_id: str) -> Job:
    found = _job(connection, job_id)
    if found is None:
        raise StoreError(f"There is no job '{job_id}'.")
    return found


def _lease(connection: sa.Connection, name: str) -> Lease | None:
    row = connection.execute(sa.select(lease).where(lease.c.name == name)).first()
    return None if row is None else Lease(row.name, row.holder, row.token, from_us(row.until))


def _values(held: Lease) -> dict[str, Any]:
    return vars(held) | {"until": to_us(held.until)}


def _json(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value).decode()
