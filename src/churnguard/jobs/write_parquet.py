"""Write a table as Parquet: words with dictionaries, numbers with a point without."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def write_parquet(table: pa.Table, out: Path, *, compression: str = "zstd") -> None:
    """Write a table into a Parquet file.

    Parameters
    ----------
    table : pa.Table
        What to write.
    out : Path
        The file.
    compression : str
        A codec of Parquet's.
    """
    # Numbers with a point hardly repeat: a dictionary of them costs more than it saves.
    words = [field.name for field in table.schema if not pa.types.is_floating(field.type)]
    pq.write_table(table, out, compression=compression, use_dictionary=words)
