"""Takes old batches of scores out: a shop scored every night would keep a million rows a day.

Of the old ones the newest of each month stays, so that the past can still be looked at; decisions
and what became of them are no part of a batch, and stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from churnguard.clock import from_us
from churnguard.store.database import reading, writing
from churnguard.store.tables import score, score_run

_CHUNK = 20_000  # so many rows in a transaction, so that writers in between wait little


def prune_runs(engine: sa.Engine, before: datetime) -> int:
    """Delete batches made before an instant but the newest of each month; return how many."""
    query = sa.select(score_run.c.seq, score_run.c.created_at).order_by(score_run.c.seq)
    with reading(engine) as connection:
        runs = [(row.seq, from_us(row.created_at)) for row in connection.execute(query)]
    gone = superfluous(runs, before)
    for number in gone:
        while _delete_some(engine, number):
            pass
        with writing(engine) as connection:
            connection.execute(sa.delete(score_run).where(score_run.c.seq == number))
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


def _delete_some(engine: sa.Engine, run: int) -> int:
    some = sa.select(score.c.customer_id).where(score.c.run == run).limit(_CHUNK)
    gone = sa.delete(score).where(score.c.run == run, score.c.customer_id.in_(some))
    with writing(engine) as connection:
        return connection.execute(gone).rowcount
