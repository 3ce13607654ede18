"""The real audit log: rows that are only ever added, chained by keyed digests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cached_property

import orjson
import sqlalchemy as sa

from churnguard.clock import from_us, to_us
from churnguard.store.audit_chain import FIRST, AuditKey, day_of, judge
from churnguard.store.database import joined, reading, writing
from churnguard.store.records import AuditDay, AuditEntry, AuditVerdict, Detail
from churnguard.store.service_tables import audit, audit_day

logger = logging.getLogger("churnguard.audit")


class SqlAuditLog:
    """The audit log in SQL.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`churnguard.store.database.open_database`.
    service_key : callable
        Returns the service's own key; asked when the log is first used.
    """

    def __init__(self, engine: sa.Engine, service_key: Callable[[], bytes]) -> None:
        self._engine = engine
        self._service_key = service_key

    @cached_property
    def _key(self) -> AuditKey:
        return AuditKey(self._service_key())

    def append(
        self,
        actor: str,
        action: str,
        *,
        at: datetime,
        subject: str | None = None,
        details: Mapping[str, Detail] | None = None,
    ) -> AuditEntry:
        """Add an entry; a finished day before it is sealed with a signed digest."""
        hidden = None if subject is None else self._key.pseudonym(subject)
        with writing(self._engine) as connection:
            query = sa.select(audit).order_by(audit.c.sequence.desc()).limit(1)
            row = connection.execute(query).first()
            last = None if row is None else _entry(row)
            if last is not None:
                at = max(at, last.at)  # a clock set back must not reopen a sealed day
                if day_of(last.at) < day_of(at):
                    self._seal(connection, last)
            number = 1 if last is None else last.sequence + 1
            bare = AuditEntry(number, at, actor, action, hidden, details or {}, b"")
            digest = self._key.digest(FIRST if last is None else last.digest, bare)
            connection.execute(
                sa.insert(audit).values(
                    sequence=number,
                    at=to_us(at),
                    actor=actor,
                    action=action,
                    subject=hidden,
                    details=orjson.dumps(dict(details or {})).decode(),
                    digest=digest,
                )
            )
        return AuditEntry(number, at, actor, action, hidden, details or {}, digest)

    def together(self) -> AbstractContextManager[None]:
        """Make one transaction of an act and its entry; an error takes both back."""
        return joined(self._engine)

    def entries(self, *, after: int = 0, limit: int = 1000) -> list[AuditEntry]:
        """Return entries in the order in which they were added, beginning after a sequence."""
        query = sa.select(audit).where(audit.c.sequence > after).order_by(audit.c.sequence)
        with reading(self._engine) as connection:
            return [_entry(row) for row in connection.execute(query.limit(limit))]

    def pseudonym(self, subject: str) -> str:
        """Return the name under which the log knows a person."""
        return self._key.pseudonym(subject)

    def verify(self) -> AuditVerdict:
        """Recompute every digest and check every day's signature."""
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(audit_day).order_by(audit_day.c.last_sequence))
            days = [AuditDay(r.day, r.last_sequence, bytes(r.digest), r.signature) for r in rows]
        return judge(self._key, self._all(), days)

    def _all(self) -> Iterator[AuditEntry]:
        after = 0
        while found := self.entries(after=after):
            yield from found
            after = found[-1].sequence

    def _seal(self, connection: sa.Connection, last: AuditEntry) -> None:
        """Sign the day that an entry ended; the log tells it, so that a copy stands elsewhere."""
        day = day_of(last.at)
        signature = self._key.sign(day, last.sequence, last.digest)
        values = {"day": day, "last_sequence": last.sequence, "digest": last.digest}
        connection.execute(sa.insert(audit_day).values(**values, signature=signature))
        facts = values | {"digest": last.digest.hex(), "signature": signature}
        logger.info("audit day sealed", extra={"facts": facts})


def _entry(row: sa.Row[tuple[object, ...]]) -> AuditEntry:
    values = dict(row._mapping)  # noqa: SLF001 # SQLAlchemy's public name for it
    return AuditEntry(
        **values
        | {
            "at": from_us(values["at"]),
            "details": orjson.loads(values["details"]),
            "digest": bytes(values["digest"]),
        }
    )
