"""Parquet files, with their own types."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from churnguard.errors import DataError
from churnguard.events.readers.chunks import Chunk, ReadOptions, numbered_from
from churnguard.events.readers.registry import reader


@reader(".parquet", ".pq")
def read_parquet(path: Path, _options: ReadOptions) -> Iterator[Chunk]:
    """Yield the rows of a Parquet file."""
    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            f"{path.name} is no whole Parquet file: {str(error).rstrip('.')}.",
            hint="It may have been cut off while it was copied: copy it again.",
        ) from error
    yield Chunk(path.name, numbered_from(1, table.num_rows), table)
