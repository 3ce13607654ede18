"""The Parquet history: the log as files that DuckDB, Spark and pandas read as they are.

It is derived from the store by an append-only export, ``received=YYYY-MM/`` in parts hashed into
16 customer buckets. A file is written under a temporary name, synced, renamed, and counts only once
the stretch of the log that it covers (``first-last``, in its name) is recorded in the store. What a
crash left behind before that is not read, and is removed by the next export.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from churnguard.events.schema import EVENT_SCHEMA, empty_events
from churnguard.store.database import reading, writing
from churnguard.store.digests import BUCKETS
from churnguard.store.event_rows import EVENT_COLUMNS, sort_events, to_table
from churnguard.store.tables import event, history_export

_STRETCH = 1_000_000
_COLUMNS = [event.c[name] for name in EVENT_COLUMNS]
_DICTIONARIES = [field.name for field in EVENT_SCHEMA if pa.types.is_dictionary(field.type)]


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

    def export(self) -> int:
        """Write what the log has gained since the last export; return the events written."""
        written = 0
        while count := self._export_stretch():
            written += count
        return written

    def read(self) -> pa.Table:
        """Return the whole log: files first, then the tail."""
        with reading(self._engine) as connection:
            watermark, covered = _exports(connection)
            tail = _tail(connection, watermark)
        return _concat([*_read(self._covered_files(covered)), tail[0]])

    def partitions(self) -> Iterator[pa.Table]:
        """Yield the log by bucket of customers, each sorted by customer, time and id."""
        with reading(self._engine) as connection:
            watermark, covered = _exports(connection)
            tail, buckets = _tail(connection, watermark)
        files = self._covered_files(covered)
        for bucket in range(BUCKETS):
            mine = [file for file in files if _bucket(file) == bucket]
            rows = tail.filter(pa.array(buckets == bucket))
            yield sort_events(_concat([*_read(mine), rows]))

    def _export_stretch(self) -> int:
        with writing(self._engine) as connection:
            watermark, covered = _exports(connection)
            self._remove_leftovers(covered)
            events, keys, last = _stretch(connection, watermark)
            if events.num_rows == 0:
                return 0
            self._write(events, keys, first=watermark + 1, last=last)
            connection.execute(
                sa.insert(history_export).values(
                    first_seq=watermark + 1, last_seq=last, events=events.num_rows
                )
            )
        return int(events.num_rows)

    def _write(
        self, events: pa.Table, keys: npt.NDArray[np.int64], *, first: int, last: int
    ) -> None:
        """Write one file for each month of receipt and bucket, sorted; rename when all are down."""
        buckets = keys % BUCKETS
        months = pc.strftime(events["received_at"], format="%Y-%m").combine_chunks()
        parts = months.dictionary_encode()
        codes = np.asarray(parts.indices).astype(np.int64) * BUCKETS + buckets
        order = np.argsort(codes, kind="stable")
        edges = np.flatnonzero(np.diff(codes[order], prepend=-1))
        events = events.take(pa.array(order))
        waiting: list[tuple[Path, Path]] = []
        for start, end in zip(edges, [*edges[1:], len(order)], strict=True):
            code = int(codes[order[start]])
            month, bucket = parts.dictionary[code // BUCKETS].as_py(), code % BUCKETS
            folder = self._folder / f"received={month}"
            folder.mkdir(parents=True, exist_ok=True)
            name = f"bucket-{bucket:02d}-{first:012d}-{last:012d}.parquet"
            temporary = folder / f".{name}.tmp"
            part = sort_events(events.slice(start, end - start))
            pq.write_table(part, temporary, compression="zstd")
            waiting.append((temporary, folder / name))
        with ThreadPoolExecutor(8) as pool:  # disks sync many files at once as fast as one
            list(pool.map(_sync, [temporary for temporary, _ in waiting]))
        for temporary, final in waiting:
            temporary.replace(final)
        for folder in {final.parent for _, final in waiting} | {self._folder}:
            _sync(folder)

    def _covered_files(self, covered: set[tuple[int, int]]) -> list[Path]:
        return sorted(
            file for file in self._folder.glob("received=*/*.parquet") if _range(file) in covered
        )

    def _remove_leftovers(self, covered: set[tuple[int, int]]) -> None:
        for file in self._folder.glob("received=*/.*.tmp"):
            file.unlink()
        for file in self._folder.glob("received=*/*.parquet"):
            if _range(file) not in covered:
                file.unlink()


def _exports(connection: sa.Connection) -> tuple[int, set[tuple[int, int]]]:
    """Return the watermark and the stretches of the log that stand in files."""
    query = sa.select(history_export.c.first_seq, history_export.c.last_seq)
    covered = {(first, last) for first, last in connection.execute(query)}
    return max((last for _, last in covered), default=0), covered


def _stretch(
    connection: sa.Connection, watermark: int, limit: int | None = _STRETCH
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
    return _concat(tables), np.concatenate(keys), last


def _tail(connection: sa.Connection, watermark: int) -> tuple[pa.Table, npt.NDArray[np.int64]]:
    events, keys, _ = _stretch(connection, watermark, None)
    return events, keys % BUCKETS


def _read(files: Sequence[Path]) -> list[pa.Table]:
    return [pq.read_table(file, partitioning=None, read_dictionary=_DICTIONARIES) for file in files]


def _concat(tables: Iterable[pa.Table]) -> pa.Table:
    whole = [table for table in tables if table.num_rows]
    if not whole:
        return empty_events()
    return pa.concat_tables([table.cast(EVENT_SCHEMA) for table in whole]).unify_dictionaries()


def _bucket(file: Path) -> int:
    return int(file.stem.split("-")[1])


def _range(file: Path) -> tuple[int, int]:
    """Return the stretch of the log that a file covers, from its name; (0, 0) for a stranger."""
    parts = file.stem.split("-")
    if len(parts) != 4 or not all(part.isdigit() for part in parts[1:]):
        return (0, 0)
    return int(parts[2]), int(parts[3])


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
