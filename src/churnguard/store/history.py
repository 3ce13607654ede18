"""The Parquet history: the log as files that DuckDB, Spark and pandas read as they are.

It is derived from the store, by stretches of the log. A stretch counts once the store names it, so
whatever happens it is there once and whole. What the log lost or renamed afterwards - people who
were erased, ids that were merged - is noted in the store in the same transaction, and carried out
on the files before they are read again. Many small stretches are joined into larger ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from churnguard.errors import StoreError
from churnguard.events.schema import empty_events
from churnguard.store.changes import LOG_EPOCH, raise_counter
from churnguard.store.database import reading, writing
from churnguard.store.digests import BUCKETS
from churnguard.store.event_rows import EVENT_COLUMNS, sort_events, to_table
from churnguard.store.history_changes import (
    Changes,
    concerns,
    final,
    forget,
    note_changes,
    pending,
    renamed,
)
from churnguard.store.history_files import (
    Draft,
    Part,
    Stretch,
    alone,
    concat,
    parts_of,
    read_parts,
    remove_leftovers,
)
from churnguard.store.tables import event, history_export, meta

LARGEST_STRETCH = 1_000_000
"""Events in one stretch at most."""

_TIERS = (10_000, 100_000, LARGEST_STRETCH)
_MANY = 10  # so many stretches below a tier become one: an event is written four times at most
_COLUMNS = [event.c[name] for name in EVENT_COLUMNS]
_FIELDS = [history_export.c[name] for name in ("first_seq", "last_seq", "generation")]


Files = Mapping[Stretch, Sequence[Part]]


class ParquetHistory:
    """The exported part of the log, and the tail that is not exported yet.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The store.
    folder : Path
        Where the files are kept.
    """

    def __init__(self, engine: sa.Engine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder

    # -- out --------------------------------------------------------------------------------

    def read(self) -> pa.Table:
        """Return the whole log: files first, then the tail."""
        while True:
            parts, tail, _ = self._moment()
            with suppress(FileNotFoundError):  # replaced meanwhile
                return concat([*read_parts(parts), tail])

    def partitions(self) -> Iterator[pa.Table]:
        """Yield the log by bucket of customers, each sorted by customer, time and id."""
        moment = self._moment()
        for bucket in range(BUCKETS):
            while True:
                parts, tail, buckets = moment
                try:
                    found = read_parts([part for part in parts if part.bucket == bucket])
                    break
                except FileNotFoundError:  # replaced meanwhile
                    moment = self._moment()
            yield sort_events(concat([*found, tail.filter(pa.array(buckets == bucket))]))

    def _moment(self) -> tuple[list[Part], pa.Table, npt.NDArray[np.int64]]:
        """Return the files that count, the tail, and the tail's buckets, of one moment."""
        while True:
            with reading(self._engine) as connection:
                noted, counts = pending(connection), _counts(connection)
                if not noted:
                    tail, keys, _ = _stretch_of(connection, _watermark(counts), None)
            if noted:
                self.settle()
                continue
            parts = parts_of(self._folder, counts)
            with suppress(FileNotFoundError):  # replaced meanwhile
                if self._whole(parts, counts):
                    return [part for some in parts.values() for part in some], tail, keys % BUCKETS

    def _whole(
        self, parts: Mapping[Stretch, Sequence[Part]], counts: Mapping[Stretch, int]
    ) -> bool:
        """Refuse a history of which files are missing: a batch must not learn from half a log."""
        for stretch, events in counts.items():
            if _rows(parts[stretch]) == events:
                continue
            with reading(self._engine) as connection:
                if _counts(connection).get(stretch) != events:
                    return False  # replaced meanwhile
            raise StoreError(
                f"The Parquet history lacks events {stretch.first} to {stretch.last} of the log.",
                hint="Bring data/events/ back from the backup; every server needs the same folder.",
            )
        return True

    # -- in ---------------------------------------------------------------------------------

    def export(self) -> int:
        """Write what the log has gained since the last export; return the events written."""
        self.settle()
        written = 0
        with alone(self._folder):
            while count := self._export_stretch():
                written += count
            if written:
                self._compact()
        return written

    def rewrite(self, mapping: Mapping[str, str | None]) -> int:
        """Follow a change of the log at once; see :func:`note_changes`. Return the events changed.

        For whoever changed the log already; to change both together, note it in the transaction
        and call :meth:`settle` afterwards.
        """
        with writing(self._engine) as connection:
            note_changes(connection, mapping)
            raise_counter(connection, LOG_EPOCH)
        return self.settle()

    def settle(self) -> int:
        """Carry out on the files what was noted; return the events changed.

        It may be killed anywhere and called again.

        Raises
        ------
        StoreError
            If files are missing: they would come back as they were, with whoever has to go.
        """
        with reading(self._engine) as connection:
            if not pending(connection):
                return 0
        changed = 0
        with alone(self._folder):
            changes, counts, parts = self._to_follow()
            remove_leftovers(self._folder, counts)
            for stretch, some in parts.items():
                changed += self._follow(stretch, some, changes)
            with writing(self._engine) as connection:
                forget(connection, changes)
        return changed

    def _to_follow(self) -> tuple[Changes, Mapping[Stretch, int], Files]:
        """Return what was noted, and the files that have to follow it, all of them."""
        while True:
            with reading(self._engine) as connection:
                changes, counts = pending(connection), _counts(connection)
            parts = parts_of(self._folder, counts)
            if self._whole(parts, counts):
                return changes, counts, parts

    def _export_stretch(self) -> int:
        with reading(self._engine) as connection:
            counts, epoch = _counts(connection), _epoch(connection)
            watermark = _watermark(counts)
            events, keys, last = _stretch_of(connection, watermark, LARGEST_STRETCH)
        remove_leftovers(self._folder, counts)
        if events.num_rows == 0:
            return 0
        stretch = Stretch(watermark + 1, last)
        draft = Draft(self._folder, stretch)
        draft.add_all(events, keys)
        draft.publish()
        with writing(self._engine) as connection:
            if _watermark(_counts(connection)) == watermark and _epoch(connection) == epoch:
                _record(connection, stretch, events.num_rows)
                return int(events.num_rows)
        return self._export_stretch()  # the log was rewritten meanwhile

    def _compact(self) -> None:
        """Join the newest stretches where there are many small ones."""
        for tier in _TIERS:
            with reading(self._engine) as connection:
                counts = _counts(connection)
            run = _newest_below(counts, tier)
            if len(run) < _MANY:
                continue
            joined = Stretch(run[0].first, run[-1].last)
            draft = Draft(self._folder, joined)
            places: dict[tuple[str, int], list[Part]] = {}
            for parts in parts_of(self._folder, run).values():
                for part in parts:
                    places.setdefault((part.folder, part.bucket), []).append(part)
            for (folder, bucket), parts in places.items():
                draft.add(folder, bucket, concat(read_parts(parts)))
            draft.publish()
            self._replace(run, joined, sum(counts[stretch] for stretch in run))

    def _follow(self, stretch: Stretch, parts: Sequence[Part], changes: Changes) -> int:
        """Write a stretch anew with what changed; the files of others stay as they are."""
        became = final(changes)
        touched = [part for part in parts if concerns(part, became)]
        if not touched:
            return 0
        after = Stretch(stretch.first, stretch.last, stretch.generation + 1)
        draft = Draft(self._folder, after)
        tables: dict[tuple[str, int], list[pa.Table]] = {}
        changed = 0
        for part in touched:
            (whole,) = read_parts([part])
            concerned = pc.is_in(whole["customer_id"], value_set=pa.array(list(became)))
            same = (part.folder, part.bucket)
            tables.setdefault(same, []).append(whole.filter(pc.invert(concerned)))
            for bucket, moved in renamed(whole.filter(concerned), became):
                tables.setdefault((part.folder, bucket), []).append(moved)
            changed += pc.sum(concerned).as_py()
        for part in parts:
            if part not in touched and (part.folder, part.bucket) in tables:
                tables[part.folder, part.bucket] += read_parts([part])
            elif part not in touched:
                draft.keep(part)
        for (folder, bucket), some in tables.items():
            draft.add(folder, bucket, concat(some))
        draft.publish()
        self._replace([stretch], after, _rows(parts_of(self._folder, [after])[after]))
        return int(changed)

    def _replace(self, old: Sequence[Stretch], new: Stretch, events: int) -> None:
        """Let new files count instead of old ones, in one transaction; delete the old ones."""
        with writing(self._engine) as connection:
            for stretch in old:
                gone = history_export.c.last_seq == stretch.last
                connection.execute(sa.delete(history_export).where(gone))
            _record(connection, new, events)
            counts = _counts(connection)
        remove_leftovers(self._folder, counts)


def _record(connection: sa.Connection, stretch: Stretch, events: int) -> None:
    values = dict(zip(("first_seq", "last_seq", "generation"), stretch, strict=True))
    connection.execute(sa.insert(history_export).values(**values, events=events))


def _epoch(connection: sa.Connection) -> str | None:
    found = connection.execute(sa.select(meta.c.value).where(meta.c.name == LOG_EPOCH)).scalar()
    return None if found is None else str(found)


def _counts(connection: sa.Connection) -> dict[Stretch, int]:
    """Return the events of each stretch of the log that stands in files, oldest first."""
    query = sa.select(*_FIELDS, history_export.c.events).order_by(history_export.c.last_seq)
    return {Stretch(*row[:3]): row[3] for row in connection.execute(query)}


def _watermark(counts: Mapping[Stretch, int]) -> int:
    return max((stretch.last for stretch in counts), default=0)


def _stretch_of(
    connection: sa.Connection, watermark: int, limit: int | None
) -> tuple[pa.Table, npt.NDArray[np.int64], int]:
    """Return events after the watermark with their customer keys, and the last one's number."""
    query = (
        sa.select(event.c.seq, event.c.customer_key, *_COLUMNS)
        .where(event.c.seq > watermark)
        .order_by(event.c.seq)
        .limit(limit)
    )
    tables, keys, last = [empty_events()], [np.empty(0, np.int64)], watermark
    for rows in connection.execution_options(yield_per=50_000).execute(query).partitions():
        last = rows[-1][0]
        keys.append(np.fromiter((row[1] for row in rows), np.int64, len(rows)))
        tables.append(to_table(rows, skip=2))
    return concat(tables), np.concatenate(keys), last


def _newest_below(counts: Mapping[Stretch, int], tier: int) -> list[Stretch]:
    """Return the newest stretches, as far back as each has fewer events than the tier."""
    run: list[Stretch] = []
    for stretch in sorted(counts, reverse=True):
        if counts[stretch] >= tier:
            break
        run.append(stretch)
    return run[::-1]


def _rows(parts: Sequence[Part]) -> int:
    return sum(pq.read_metadata(part.path).num_rows for part in parts)
