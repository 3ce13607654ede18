"""The real store of kept replies: a write that is sent twice takes effect once.

A request is first marked as running. Its effect and its reply are then committed together, so that
a process killed in between leaves neither: whoever asks again, runs it again.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime

import orjson
import sqlalchemy as sa

from churnguard.clock import to_us
from churnguard.store.database import joined, reading, writing
from churnguard.store.records import Reply
from churnguard.store.service_tables import reply as table

_SECOND = 1_000_000


class SqlReplyStore:
    """Kept replies in SQL.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`churnguard.store.database.open_database`.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def begin(
        self, key: bytes, fingerprint: bytes, *, now: datetime, patience: float, keep: float
    ) -> Reply | None:
        """Mark a request as running; None if it is now ours to run, else what there is of it."""
        at = to_us(now)
        with reading(self._engine) as connection:
            found = _standing(connection, key, at, patience)
        if found is not None:
            return found
        with writing(self._engine) as connection:
            found = _standing(connection, key, at, patience)  # another may have been quicker
            if found is not None:
                return found
            stale = sa.or_(table.c.expires_at <= at, table.c.key_digest == key)
            connection.execute(sa.delete(table).where(stale))
            connection.execute(
                sa.insert(table).values(
                    key_digest=key,
                    fingerprint=fingerprint,
                    state="running",
                    created_at=at,
                    expires_at=at + int(keep * _SECOND),
                )
            )
        return None

    def together(self) -> AbstractContextManager[None]:
        """Make one transaction of what is written in the block; an error takes all of it back."""
        return joined(self._engine)

    def finish(self, key: bytes, reply: Reply, *, started: datetime) -> bool:
        """Keep the reply; False if the request has been taken over by another since."""
        done = sa.update(table).where(_running(key, started))
        values = {"status": reply.status, "body": reply.body}
        headers = orjson.dumps(dict(reply.headers)).decode()
        with writing(self._engine) as connection:
            change = done.values(state="done", headers=headers, **values)
            return connection.execute(change).rowcount > 0

    def abandon(self, key: bytes, *, started: datetime) -> None:
        """Forget a running request, so that it may be sent again."""
        with writing(self._engine) as connection:
            connection.execute(sa.delete(table).where(_running(key, started)))

    def forget(self, text: str) -> int:
        """Delete the replies whose body holds a text, such as an erased customer's id."""
        sought = text.encode()
        with writing(self._engine) as connection:
            query = sa.select(table.c.key_digest, table.c.body).where(table.c.state == "done")
            named = [row.key_digest for row in connection.execute(query) if sought in row.body]
            for key in named:
                connection.execute(sa.delete(table).where(table.c.key_digest == key))
        return len(named)


def _running(key: bytes, started: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        table.c.key_digest == key,
        table.c.state == "running",
        table.c.created_at == to_us(started),
    )


def _standing(connection: sa.Connection, key: bytes, at: int, patience: float) -> Reply | None:
    """Return the reply, finished or running, that still stands under a key."""
    query = sa.select(table).where(table.c.key_digest == key, table.c.expires_at > at)
    row = connection.execute(query).first()
    if row is None:
        return None
    if row.state == "running":
        # A beginning in the far future is of a clock that was wrong: nobody waits until then.
        alive = abs(at - row.created_at) < int(patience * _SECOND)
        return Reply(row.fingerprint, running=True) if alive else None
    return Reply(row.fingerprint, row.status, orjson.loads(row.headers), bytes(row.body))
