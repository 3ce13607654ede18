"""The files of the Parquet history: what they are called, and how they get on the disk whole.

``received=YYYY-MM/bucket-BB-FIRST-LAST[-GENERATION].parquet`` holds the events numbered FIRST to
LAST that were received in a month, of one of 16 buckets of customers, sorted by customer, time and
id. Files are written under hidden names, synced, and renamed when all of a stretch are down.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from churnguard.events.schema import EVENT_SCHEMA, empty_events
from churnguard.store.digests import BUCKETS
from churnguard.store.event_rows import sort_events

_NAME = re.compile(r"bucket-(\d\d)-(\d{12})-(\d{12})(?:-(\d+))?\.parquet")
_DICTIONARIES = [field.name for field in EVENT_SCHEMA if pa.types.is_dictionary(field.type)]


class Stretch(NamedTuple):
    """A part of the log that stands in files: first and last number, and which writing of it."""

    first: int
    last: int
    generation: int = 0


class Part(NamedTuple):
    """One file of a stretch: its folder's name, its bucket, and where it is."""

    folder: str
    bucket: int
    path: Path


class Draft:
    """A stretch that is being written; nothing of it counts before :meth:`publish`.

    Parameters
    ----------
    folder : Path
        Where the history is kept.
    stretch : Stretch
        What the files will cover.
    """

    def __init__(self, folder: Path, stretch: Stretch) -> None:
        self._folder = folder
        self._stretch = stretch
        self._waiting: list[tuple[Path, Path]] = []

    def add(self, folder: str, bucket: int, events: pa.Table) -> None:
        """Write one file, sorted, unless there is nothing to write."""
        if events.num_rows:
            pq.write_table(sort_events(events), self._place(folder, bucket), compression="zstd")

    def keep(self, part: Part) -> None:
        """Take over a file as it is."""
        temporary = self._place(part.folder, part.bucket)
        try:
            os.link(part.path, temporary)
        except OSError:
            shutil.copyfile(part.path, temporary)

    def add_all(self, events: pa.Table, customer_keys: npt.NDArray[np.int64]) -> None:
        """Write a file for each month of receipt and bucket."""
        if not events.num_rows:
            return
        months = pc.strftime(events["received_at"], format="%Y-%m").combine_chunks()
        parts = months.dictionary_encode()
        codes = np.asarray(parts.indices).astype(np.int64) * BUCKETS + customer_keys % BUCKETS
        order = np.argsort(codes, kind="stable")
        edges = np.flatnonzero(np.diff(codes[order], prepend=-1))
        events = events.take(pa.array(order))
        for start, end in zip(edges, [*edges[1:], len(order)], strict=True):
            code = int(codes[order[start]])
            month = parts.dictionary[code // BUCKETS].as_py()
            self.add(f"received={month}", code % BUCKETS, events.slice(start, end - start))

    def publish(self) -> None:
        """Get every file on the disk, and then under its name."""
        with ThreadPoolExecutor(8) as pool:  # disks sync many files at once as fast as one
            list(pool.map(_sync, [temporary for temporary, _ in self._waiting]))
        for temporary, final in self._waiting:
            temporary.replace(final)
        for folder in {final.parent for _, final in self._waiting} | {self._folder}:
            _sync(folder)

    def _place(self, folder: str, bucket: int) -> Path:
        first, last, generation = self._stretch
        ending = f"-{generation}" if generation else ""
        name = f"bucket-{bucket:02d}-{first:012d}-{last:012d}{ending}.parquet"
        inside = self._folder / folder
        inside.mkdir(parents=True, exist_ok=True)
        temporary = inside / f".{name}.tmp"
        self._waiting.append((temporary, inside / name))
        return temporary


def parts_of(folder: Path, stretches: Iterable[Stretch]) -> dict[Stretch, list[Part]]:
    """Return the files of each stretch, in a fixed order; files of others are left out."""
    found: dict[Stretch, list[Part]] = {stretch: [] for stretch in stretches}
    for path in sorted(folder.glob("received=*/*.parquet")):
        bucket, stretch = named(path)
        if stretch in found:
            found[stretch].append(Part(path.parent.name, bucket, path))
    return found


def remove_leftovers(folder: Path, stretches: Iterable[Stretch]) -> None:
    """Delete our files that do not count: what a crash left, and what has been replaced."""
    counted = set(stretches)
    for file in folder.glob("received=*/.*.tmp"):
        file.unlink()
    for file in folder.glob("received=*/*.parquet"):
        stretch = named(file)[1]
        if stretch is not None and stretch not in counted:
            file.unlink()


def named(file: Path) -> tuple[int, Stretch | None]:
    """Return the bucket and the stretch that a file's name tells; no stretch for a stranger.

    Examples
    --------
    >>> named(Path("bucket-03-000000000001-000000000500.parquet"))
    (3, Stretch(first=1, last=500, generation=0))
    >>> named(Path("mine.parquet"))
    (0, None)
    """
    found = _NAME.fullmatch(file.name)
    if found is None:
        return 0, None
    bucket, first, last, generation = found.groups(default="0")
    return int(bucket), Stretch(int(first), int(last), int(generation))


def read_parts(parts: Iterable[Part]) -> list[pa.Table]:
    """Return the events of files, a table each."""
    return [pq.ParquetFile(part.path, read_dictionary=_DICTIONARIES).read() for part in parts]


def concat(tables: Sequence[pa.Table]) -> pa.Table:
    """Return tables as one, in ``EVENT_SCHEMA``."""
    whole = [table for table in tables if table.num_rows]
    if not whole:
        return empty_events()
    return pa.concat_tables([table.cast(EVENT_SCHEMA) for table in whole]).unify_dictionaries()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one process at a time write the history; the lock falls with whoever holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
