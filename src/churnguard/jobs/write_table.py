"""Write a table to a file that appears once and whole: temporary name, fsync, rename."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from churnguard.errors import InvalidRequest
from churnguard.jobs.durable import sync
from churnguard.jobs.write_parquet import write_parquet

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_table(table: pa.Table, out: Path) -> None:
    """Write CSV or Parquet, by the file's ending.

    Parameters
    ----------
    table : pa.Table
        What to write.
    out : Path
        Ends in ``.csv`` or ``.parquet``; its folder is made when missing. In CSV, times are ISO
        8601, numbers have all their digits, and text that a spreadsheet would run as a formula is
        put in quotes that it does not run.

    Raises
    ------
    InvalidRequest
        If the ending is neither.
    """
    check_ending(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.unfinished")
    try:
        _WRITERS[out.suffix](table, unfinished)
        sync(unfinished)
        unfinished.replace(out)
        sync(out.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def check_ending(out: Path) -> None:
    """Refuse a file that could not be written in the end, before any work is done for it.

    Raises
    ------
    InvalidRequest
        If it ends in neither ``.csv`` nor ``.parquet``.
    """
    if out.suffix not in _WRITERS:
        raise InvalidRequest(
            f"'{out.name}' ends in neither .csv nor .parquet.",
            hint=f"Name the file {out.stem}.csv or {out.stem}.parquet.",
        )


def _write_csv(table: pa.Table, out: Path) -> None:
    columns = {name: _for_csv(table[name]) for name in table.column_names}
    pa.csv.write_csv(pa.table(columns), out)


def _for_csv(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        times = column.to_pylist()
        return pa.array([t and t.isoformat().replace("+00:00", "Z") for t in times], pa.string())
    if pa.types.is_string(column.type):
        return pa.array([_not_a_formula(text) for text in column.to_pylist()], pa.string())
    return column


def _not_a_formula(text: str | None) -> str | None:
    return f"'{text}" if text and text.startswith(_FORMULA_STARTS) else text


_WRITERS: Mapping[str, Callable[[pa.Table, Path], None]] = {
    ".csv": _write_csv,
    ".parquet": write_parquet,
}
