"""Batches of scores come and go part by part, so that writers in between wait little.

A batch that is being stored has a name of its own and counts no customers: nobody reads it. In one
moment it gets its name, and is the newest; what a process left unfinished is no batch.

Old ones are taken out, or a shop scored every night would keep a million rows a day. Of them the
newest of each month stays, so that the past can still be looked at; decisions and what became of
them are no part of a batch, and stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from churnguard.clock import from_us, to_us
from churnguard.store.database import reading, writing
from churnguard.store.records import ScoreRun
from churnguard.store.tables import score, score_run

_CHUNK = 20_000
_UNFINISHED = -1
_FINISHED = score_run.c.customers > _UNFINISHED

NEWEST_RUN = sa.select(sa.func.max(score_run.c.seq)).where(_FINISHED).scalar_subquery()
"""The number of the newest batch."""


def begin_run(engine: sa.Engine, run: ScoreRun) -> int:
    """Return the number of a new batch that nobody reads yet; one left unfinished is taken out."""
    name = _unfinished(run.run_id)
    with reading(engine) as connection:
        left = _number(connection, name)
    if left is not None:
        _drop(engine, left)
    values = {
        "run_id": name,
        "as_of": to_us(run.as_of),
        "created_at": to_us(run.created_at),
        "model_version": run.model_version,
        "customers": _UNFINISHED,
    }
    with writing(engine) as connection:
        made = connection.execute(sa.insert(score_run).values(**values))
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])


def finish_run(engine: sa.Engine, number: int, run: ScoreRun) -> None:
    """Let a batch be read, in the place of an earlier one of the same name."""
    with writing(engine) as connection:
        before = _number(connection, run.run_id)
        _call(connection, number, f"{run.run_id} stored", _UNFINISHED)
        if before is not None:
            _call(connection, before, _unfinished(run.run_id), _UNFINISHED)
        _call(connection, number, run.run_id, run.customers)
    if before is not None:
        _drop(engine, before)


def prune_runs(engine: sa.Engine, before: datetime) -> int:
    """Delete batches made before an instant but the newest of each month; return how many.

    What was left unfinished before that instant goes as well, and is not counted.
    """
    columns = sa.select(score_run.c.seq, score_run.c.created_at).order_by(score_run.c.seq)
    left = columns.where(~_FINISHED, score_run.c.created_at < to_us(before))
    with reading(engine) as connection:
        runs = [
            (row.seq, from_us(row.created_at))
            for row in connection.execute(columns.where(_FINISHED))
        ]
        unfinished = [row.seq for row in connection.execute(left)]
    gone = superfluous(runs, before)
    for number in [*gone, *unfinished]:
        _drop(engine, number)
    return len(gone)


def superfluous(runs: Sequence[tuple[int, datetime]], before: datetime) -> list[int]:
    """Return which batches need not be kept: made before an instant, and not a month's newest.

    Parameters
    ----------
    runs : sequence of (int, datetime)
        Numbers, and when they were made; the newest last.
    before : datetime
        What was made since is kept, and so is the newest batch of all.

    Examples
    --------
    >>> from datetime import UTC
    >>> days = [datetime(2026, 1, 3, tzinfo=UTC), datetime(2026, 1, 9, tzinfo=UTC)]
    >>> superfluous(list(enumerate(days)), datetime(2026, 6, 1, tzinfo=UTC))
    [0]
    """
    last_of_month = {(made.year, made.month): number for number, made in runs}
    kept = set(last_of_month.values())
    return [number for number, made in runs if made < before and number not in kept]


def _unfinished(run_id: str) -> str:
    return f"{run_id} unfinished"


def _number(connection: sa.Connection, run_id: str) -> int | None:
    query = sa.select(score_run.c.seq).where(score_run.c.run_id == run_id)
    return connection.execute(query).scalar()


def _call(connection: sa.Connection, number: int, run_id: str, customers: int) -> None:
    change = sa.update(score_run).where(score_run.c.seq == number)
    connection.execute(change.values(run_id=run_id, customers=customers))


def _drop(engine: sa.Engine, number: int) -> None:
    while _delete_some(engine, number):
        pass
    with writing(engine) as connection:
        connection.execute(sa.delete(score_run).where(score_run.c.seq == number))


def _delete_some(engine: sa.Engine, run: int) -> int:
    some = sa.select(score.c.customer_id).where(score.c.run == run).limit(_CHUNK)
    gone = sa.delete(score).where(score.c.run == run, score.c.customer_id.in_(some))
    with writing(engine) as connection:
        return connection.execute(gone).rowcount
