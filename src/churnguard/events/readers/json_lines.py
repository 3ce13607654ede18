"""JSON lines, also gzipped: one object a line. Nested values stay JSON text."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from churnguard.errors import DataError
from churnguard.events.readers.chunks import BrokenRow, Chunk, ReadOptions, number_around
from churnguard.events.readers.columns import table_of
from churnguard.events.readers.registry import reader


@reader(".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
def read_json_lines(path: Path, _options: ReadOptions) -> Iterator[Chunk]:
    """Yield the rows of a file of JSON objects; blank lines do not count."""
    rows: list[dict[str, Any]] = []
    broken: list[BrokenRow] = []
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rb") as lines:
            for line in lines:
                if line.strip():
                    _take(line, rows, broken)
    except (OSError, EOFError) as error:
        raise DataError(f"{path.name} cannot be read: {error}.", hint="Is it cut off?") from error
    yield Chunk(path.name, number_around(len(rows), broken), _table(rows), tuple(broken))


def _take(line: bytes, rows: list[dict[str, Any]], broken: list[BrokenRow]) -> None:
    number = len(rows) + len(broken) + 1
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        broken.append(BrokenRow(number, line.decode(errors="replace").strip(), f"{error}."))
        return
    if isinstance(row, dict):
        rows.append(row)
    else:
        broken.append(BrokenRow(number, line.decode().strip(), "The line is no JSON object."))


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
    return table_of({name: [row.get(name) for row in rows] for name in names}, len(rows))
